/** The commands of docs/cli.md, and that no page has commands that no test runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCommands, testCommandsOf } from '../support/documented-commands';

const folder = mkdtempSync(join(tmpdir(), 'policy-router-'));
afterAll(() => rmSync(folder, { recursive: true }));

testCommandsOf('docs/cli.md', { folder: () => folder });

const below = (root: string, end: string): string[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith(end))
    .map(name => join(root, name));

it('runs the commands of every page in a test', () => {
  const tests = below('test', '.test.ts').map(path => readFileSync(path, 'utf8'));
  const pages = ['README.md', ...below('docs', '.md')].filter(hasCommands);
  const untested = pages.filter(
    page => !tests.some(text => text.includes(`testCommandsOf('${page}'`)),
  );
  expect(untested).toEqual([]);
});
