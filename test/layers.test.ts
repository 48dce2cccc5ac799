/** Lint holds the order of the rooms of src: none imports one above it. */
import { readdirSync } from 'node:fs';
import { ESLint, Linter } from 'eslint';

/** jest cannot load the file of a config as ESLint does. */
const eslint = new ESLint({
  overrideConfigFile: true,
  overrideConfig: jest.requireActual<Linter.Config[]>('../eslint.config.js'),
});

const ROOMS = readdirSync('src').map(entry => entry.replace(/\.ts$/, ''));
const isFolder = (room: string): boolean => !readdirSync('src').includes(`${room}.ts`);

/** A file of the room; it need not exist. */
const fileOf = (room: string): string =>
  isFolder(room) ? `src/${room}/any.ts` : `src/${room}.ts`;

/** What lint says of an import of `imported` in a file of `room`. */
async function messagesOf(room: string, imported: string): Promise<string[]> {
  const { rules } = (await eslint.calculateConfigForFile(fileOf(room))) as {
    rules: Linter.RulesRecord;
  };
  const rule = rules['no-restricted-imports'];
  if (!rule) return [];
  const specifier = `${isFolder(room) ? '../' : './'}${imported}`;
  return new Linter()
    .verify(`import '${specifier}';`, [{ rules: { 'no-restricted-imports': rule } }])
    .map(({ message }) => message);
}

it.each(ROOMS.filter(room => room !== 'index' && room !== 'cli'))(
  '%s is in the order, below the public API',
  async room => {
    expect(await messagesOf(room, 'index')).toEqual([
      expect.stringContaining(`No stage imports an earlier one: ${room} may import`),
    ]);
  },
);

it.each([
  ['policy', 'router'],
  ['routing', 'policy'],
  ['guard', 'routing/table'],
  ['sources', 'guard/chain'],
  ['combining', 'sources/source'],
  ['conditions', 'combining/algorithms'],
  ['trace', 'guard/chain'],
  ['lib', 'verdict'],
])('%s may not import %s', async (room, imported) => {
  expect(await messagesOf(room, imported)).toHaveLength(1);
});

it.each([
  ['router', 'policy'],
  ['policy', 'combining/algorithms'],
  ['guard', 'sources/source'],
  ['sources', 'conditions/parse'],
  ['trace', 'verdict'],
])('%s may import %s', async (room, imported) => {
  expect(await messagesOf(room, imported)).toEqual([]);
});
