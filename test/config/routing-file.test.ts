/** A hostile routing file is an error of one line, like any other invalid one. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig } from '../../src/config/read';
import { readRoutingFile } from '../../src/config/routing-file';
import { ConfigError } from '../../src/config/types';
import { temporaryFolder } from '../support/backend';

/** Nine lists of nine of the list before: 9^9 words. */
const bomb = Array.from(
  { length: 9 },
  (_, level) =>
    `a${level}: &a${level} [${Array(9)
      .fill(level === 0 ? 'x' : `*a${level - 1}`)
      .join(', ')}]`,
).join('\n');

let folder: string;
beforeEach(async () => (folder = await temporaryFolder()));
afterEach(() => rm(folder, { recursive: true }));

it.each([
  ['grows by aliases', bomb, 'Excessive alias count'],
  ['repeats a key', 'fallback: deny\nfallback: allow', 'Map keys must be unique'],
  ['has two documents', 'fallback: deny\n---\nfallback: allow', 'multiple documents'],
  ['has a key __proto__', '__proto__: { fallback: allow }', "unknown key '__proto__'"],
  [
    'has code',
    'fallback: !!js/function "() => 1"\nroutes: []',
    "must be 'allow' or 'deny'",
  ],
  [
    'is long',
    `# ${'x'.repeat(2 ** 20)}\nfallback: deny`,
    'longer than 1048576 characters',
  ],
  ['opens brackets without end', `a: ${'['.repeat(200_000)}`, 'deeper than 64 levels'],
  ['opens braces without end', `a: ${'{b: '.repeat(200_000)}`, 'deeper than 64 levels'],
  [
    'hides that with brackets in texts',
    `a: ${'["]", '.repeat(65)}`,
    'deeper than 64 levels',
  ],
  ['is lists of lists', `${'- '.repeat(65)}a`, 'deeper than 64 levels'],
  [
    'goes down line by line',
    Array.from({ length: 1000 }, (_, level) => `${' '.repeat(level)}-`).join('\n'),
    'deeper than 64 levels',
  ],
])('a file that %s is refused', async (_what, text, message) => {
  const path = join(folder, 'routing.yaml');
  await writeFile(path, text);
  const reading = readRoutingFile(path).then(content =>
    readConfig({}, { path, content }),
  );
  const error: unknown = await reading.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  const { problems } = error as ConfigError;
  expect(problems.map(problem => problem.message).join('; ')).toContain(message);
  for (const problem of problems) expect(problem.message).toMatch(/^.{1,300}$/);
});

it('a file as deep as the limit is read; brackets in texts do not count', async () => {
  const path = join(folder, 'routing.yaml');
  await writeFile(path, `a: ${'['.repeat(64)}"${'['.repeat(100)}"${']'.repeat(64)}`);
  expect(JSON.stringify(await readRoutingFile(path))).toMatch(/"\[{100}"\]{64}\}$/);
});
