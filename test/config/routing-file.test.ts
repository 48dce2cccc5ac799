/**
 * A hostile routing file is an error of one line, like any other invalid one, and the event loop
 * turns while it is read.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readConfig } from '../../src/config/read';
import {
  MAX_ROUTING_FILE_BYTES,
  parseRoutingTable,
  readRoutingFile,
} from '../../src/config/routing-file';
import { ConfigError } from '../../src/config/types';
import * as worker from '../../src/lib/in-worker';
import { PassingProblem } from '../../src/lib/last-good';
import { temporaryFolder } from '../support/backend';
import { turnsDuring } from '../support/turns';

jest.mock('../../src/lib/in-worker', () => {
  const actual = jest.requireActual<typeof worker>('../../src/lib/in-worker');
  return { ...actual, inWorker: jest.fn(actual.inWorker) };
});
const inWorker = jest.mocked(worker.inWorker);

let folder: string;
let path: string;
beforeEach(async () => {
  inWorker.mockClear();
  folder = await temporaryFolder();
  path = join(folder, 'routing.yaml');
});
afterEach(() => rm(folder, { recursive: true }));

type Limits = Parameters<typeof readRoutingFile>[1];

/** The messages of the problems of the file at `path`. */
async function problemsOf(limits?: Limits): Promise<string[]> {
  const reading = readRoutingFile(path, limits).then(content =>
    readConfig({}, { path, content }),
  );
  const error: unknown = await reading.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  const { problems } = error as ConfigError;
  for (const problem of problems) expect(problem.message).toMatch(/^.{1,300}$/);
  return problems.map(({ message }) => message);
}

it.each<[what: string, content: string | Buffer, message: string]>([
  ['repeats a key', 'fallback: deny\nfallback: allow', 'Map keys must be unique'],
  ['has a key __proto__', '__proto__: { fallback: allow }', "unknown key '__proto__'"],
  [
    'is one byte too large',
    'x'.repeat(MAX_ROUTING_FILE_BYTES + 1),
    'is larger than 1048576 bytes',
  ],
  ['is Latin-1', Buffer.from('a: caf\xe9', 'latin1'), 'is not valid UTF-8: byte 6'],
  [
    'is cut off in a character',
    Buffer.from('a: \ufffd caf\u00e9').subarray(0, -1),
    'is not valid UTF-8: byte 10',
  ],
  ['is UTF-16', Buffer.from('\ufeffa: 1', 'utf16le'), 'is not valid UTF-8: byte 0'],
  [
    'has half of a surrogate pair',
    Buffer.from([0x61, 0x3a, 0x20, 0xed, 0xa0, 0x80]),
    'is not valid UTF-8: byte 3',
  ],
])('a file that %s is refused', async (_what, content, message) => {
  await writeFile(path, content);
  expect((await problemsOf()).join('; ')).toContain(message);
});

it.each<[what: string, make: () => unknown, message: string]>([
  [
    'a FIFO',
    () => promisify(execFile)('mkfifo', [path]),
    'is not a plain file (a FIFO)',
  ],
  [
    'a link to a device',
    () => symlink('/dev/zero', path),
    'is not a plain file (a device)',
  ],
  ['a folder', () => mkdir(path), 'is not a plain file (a folder)'],
  [
    'a file of gigabytes',
    async () => {
      await writeFile(path, '');
      await truncate(path, 2 ** 32);
    },
    'is larger than 1048576 bytes',
  ],
])('%s is refused', async (_what, make, message) => {
  await make();
  expect(await problemsOf()).toEqual([message]);
});

it('that there is no file may pass, which the error says', async () => {
  await expect(readRoutingFile(path)).rejects.toMatchObject({
    name: 'PolicyRouterConfigError',
    cause: expect.any(PassingProblem) as unknown,
  });
  await writeFile(path, 'a: b: c');
  await expect(readRoutingFile(path)).rejects.not.toMatchObject({
    cause: expect.any(PassingProblem) as unknown,
  });
});

describe('while a file is parsed the event loop turns, though the file is', () => {
  const lines = (count: number, line: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => line(index)).join('\n');

  it.each<[what: string, text: string]>([
    ['900,000 line ends in a block of text', `a: |\n x\n${'\n'.repeat(900_000)}b: c`],
    ['a map of 20,000 keys', lines(20_000, index => `k${index}: 1`)],
    ['a mebibyte of lists', `a: [${'[],'.repeat(300_000)}]`],
    ['a mebibyte of quotes', '"'.repeat(2 ** 20)],
    ['a mebibyte of errors', `a: "${'\\q'.repeat(500_000)}"`],
    ['10,000 routes', lines(10_000, index => `- {prefix: a${index}, sources: [opa]}`)],
  ])('%s', async (_what, text) => {
    await writeFile(path, text);
    const limits = { timeout: 1000, heap: 256 };
    expect(await turnsDuring(readRoutingFile(path, limits))).toBeGreaterThan(100);
  });
});

it.each<[what: string, text: string, limits: Limits, message: string]>([
  [
    'time',
    'fallback: deny # no thread starts as fast',
    { timeout: 1, heap: 256 },
    'cannot be parsed: it takes longer than 0.001 s; it is too large, or made to be slow',
  ],
  [
    'memory',
    `[${'{a: b}, '.repeat(80_000)}]`,
    { timeout: 120_000, heap: 12 },
    'cannot be parsed: it needs more than 12 MiB of memory; it is too large, or made to be slow',
  ],
])('a file that needs too much %s is refused', async (_what, text, limits, message) => {
  await writeFile(path, text);
  expect(await problemsOf(limits)).toEqual([message]);
});

describe('a text is parsed', () => {
  it('once while it stays the same, good or bad', async () => {
    for (const text of ['fallback: allow', 'a: b: c']) {
      inWorker.mockClear();
      await writeFile(path, text);
      const first = await readRoutingFile(path).catch((error: Error) => error.message);
      const again = await readRoutingFile(path).catch((error: Error) => error.message);
      expect(again).toEqual(first);
      expect(inWorker).toHaveBeenCalledTimes(1);
    }
  });

  it('again if it was too slow, which may be the fault of the machine', async () => {
    await writeFile(path, 'fallback: deny # late');
    await problemsOf({ timeout: 1, heap: 256 });
    expect(await readRoutingFile(path)).toEqual({ fallback: 'deny' });
  });
});

describe('a table that is not in a file', () => {
  it('is parsed, and what is kept of the last file stays', async () => {
    await writeFile(path, 'fallback: deny # in the file');
    await readRoutingFile(path);
    inWorker.mockClear();
    expect(await parseRoutingTable('fallback: allow')).toEqual({ fallback: 'allow' });
    expect(inWorker).toHaveBeenCalledTimes(1);
    expect(await readRoutingFile(path)).toEqual({ fallback: 'deny' });
    expect(inWorker).toHaveBeenCalledTimes(1);
  });

  it.each([
    [
      'is one byte too large',
      `#${'é'.repeat(2 ** 19)}`,
      'is larger than 1048576 bytes',
    ],
    ['has half of a character', "a: '\ud800'", 'is not valid Unicode'],
    ['has a tag', 'a: !!str b', 'has a tag at line 1, column 4'],
  ])('is refused if it %s', async (_what, text, message) => {
    await expect(parseRoutingTable(text)).rejects.toThrow(message);
  });
});
