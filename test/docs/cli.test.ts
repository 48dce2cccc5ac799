/** The commands of docs/cli.md, and that no page has commands that no test runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { CHECK_CODES } from '../../src/cli/check/check-config';
import { EXIT_HELP } from '../../src/cli/exit-code';
import { runPolicyRouter } from '../support/cli';
import { hasCommands, testCommandsOf } from '../support/documented-commands';
import { folderWith, removeFolders } from '../support/folder';
import { startStub, type StubServer } from '../support/stub-server';

const PAGE = 'docs/cli.md';
const root = folderWith({
  'package.json': '{ "workspaces": { "packages": ["packages/*"] } }',
  'app-config.yaml': 'app: { title: Example }',
  'app-config.production.yaml': stringify({
    permission: {
      enabled: true,
      policyRouter: { fallback: 'deny', routes: [{ prefix: '', sources: ['allow'] }] },
    },
  }),
  'packages/backend/package.json': '{ "name": "backend" }',
});
afterAll(removeFolders);

/** A backend, as far as `init` asks it. */
let stub: StubServer;
beforeAll(async () => {
  const body = JSON.stringify({ permissions: [] });
  stub = await startStub(socket =>
    socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`),
  );
});
afterAll(() => stub.stop());

testCommandsOf('docs/cli.md', {
  folder: () => join(root, 'packages/backend'),
  real: word => word.replace('http://localhost:7007', stub.url),
  // A new setting changes each digest.
  steady: printed =>
    printed
      .replace(/(?<=Digest )[0-9a-f]{12}/g, '3f8167636f38')
      .replace(/(?<="digest": ")[0-9a-f]{12}/g, '3f8167636f38'),
});

/** The first cells of the rows of the table under a heading. */
function firstCells(heading: string): string[] {
  const [, section = ''] = readFileSync(PAGE, 'utf8').split(`# ${heading}\n`);
  const rows = section.split('\n#')[0]!.match(/^\| .*$/gm) ?? [];
  return rows.slice(2).map(row => row.split('|')[1]!.trim());
}

it('lists every command, as --help does', async () => {
  const listed = firstCells('The command policy-router').map(
    cell => /^\[`(.*)`\]\(.*\)$/.exec(cell)?.[1],
  );
  const commands = readdirSync('src/cli/commands').map(name => name.replace('.ts', ''));
  expect([...listed].sort()).toEqual(commands.sort());
  const { out } = await runPolicyRouter(['--help']);
  for (const line of readFileSync(PAGE, 'utf8').matchAll(
    /^\| \[`(.*)`\].* \| (.*?) *\|$/gm,
  ))
    expect(out).toMatch(new RegExp(`^  ${line[1]} .* ${line[2]}$`, 'm'));
});

it('lists the exit codes, as --help does', () => {
  const page = readFileSync(PAGE, 'utf8');
  const rows = [...page.matchAll(/^\| (\d) +\| (.*?) *\|$/gm)];
  expect(rows.map(([, code, meaning]) => `  ${code}  ${meaning}`).join('\n')).toBe(
    EXIT_HELP.trim().split('\n').slice(1).join('\n'),
  );
});

it('names the codes of warnings that only check has', () => {
  const page = readFileSync(PAGE, 'utf8');
  for (const code of CHECK_CODES) expect(page).toContain(`\`${code}\` means`);
});

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
