/** A bundle is loaded once for each content, in a worker that limits what it may take. */
import { execFile } from 'node:child_process';
import { rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as worker from '../../../src/lib/in-worker';
import { PassingProblem } from '../../../src/lib/last-good';
import * as plainFile from '../../../src/lib/plain-file';
import { MAX_BUNDLE_BYTES } from '../../../src/sources/opa-wasm/bundle';
import { BundleFile } from '../../../src/sources/opa-wasm/bundle-file';
import { temporaryFolder } from '../../support/backend';
import {
  buildBundle,
  constant,
  ENTRYPOINT,
  inputOf,
} from '../../support/tested-policy';
import { turnsDuring } from '../../support/turns';
import { describeWithOpa } from '../../support/with-opa';

jest.mock('../../../src/lib/in-worker', () => {
  const actual = jest.requireActual<typeof worker>('../../../src/lib/in-worker');
  return { ...actual, inWorker: jest.fn(actual.inWorker) };
});
const inWorker = jest.mocked(worker.inWorker);

jest.mock('../../../src/lib/plain-file', () => {
  const actual = jest.requireActual<typeof plainFile>('../../../src/lib/plain-file');
  return { ...actual, readPlainFile: jest.fn(actual.readPlainFile) };
});
const readPlainFile = jest.mocked(plainFile.readPlainFile);

let folder: string;
let path: string;
beforeEach(async () => {
  inWorker.mockClear();
  readPlainFile.mockClear();
  folder = await temporaryFolder();
  path = join(folder, 'bundle.tar.gz');
});
afterEach(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const errorOf = (file = new BundleFile(path, ENTRYPOINT)): Promise<Error> =>
  file.load().then(
    () => new Error('it was loaded'),
    (error: Error) => error,
  );

describe('what is no bundle file is refused', () => {
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
    [
      'a file of gigabytes',
      async () => {
        await writeFile(path, '');
        await truncate(path, 2 ** 32);
      },
      `is larger than ${MAX_BUNDLE_BYTES} bytes`,
    ],
  ])('%s', async (_what, make, message) => {
    await make();
    expect((await errorOf()).message).toBe(`the bundle '${path}' ${message}`);
  });

  it('and that there is none may pass', async () => {
    expect((await errorOf()).cause).toBeInstanceOf(PassingProblem);
  });
});

describeWithOpa('a bundle file', () => {
  let allow: Buffer;
  let large: Buffer;
  beforeAll(async () => {
    allow = await buildBundle(constant('ALLOW'));
    const users = Array.from({ length: 30_000 }, (_, index) => [
      `user ${index}`,
      ['admin'],
    ]);
    large = await buildBundle(
      `package tested\nimport rego.v1\ndecision := {"result": "ALLOW"} if "admin" in data.users[input.permission.name]\n`,
      ENTRYPOINT,
      { users: Object.fromEntries(users) as object },
    );
  });

  it('gives the same evaluator while its content stays the same', async () => {
    await writeFile(path, allow);
    const file = new BundleFile(path, ENTRYPOINT);
    const first = await file.load();
    await writeFile(path, allow);
    expect(await file.load()).toBe(first);
    expect(inWorker).toHaveBeenCalledTimes(1);
  });

  it('gives it again after another content that could not be used', async () => {
    await writeFile(path, allow);
    const file = new BundleFile(path, ENTRYPOINT);
    const first = await file.load();
    await writeFile(path, 'hello');
    await errorOf(file);
    await errorOf(file);
    expect(inWorker).toHaveBeenCalledTimes(2);
    await writeFile(path, allow);
    expect(await file.load()).toBe(first);
    expect(inWorker).toHaveBeenCalledTimes(2);
  });

  it('is read once if it has not been written for a while', async () => {
    await writeFile(path, allow);
    // Nobody can set the other time of a file, so the clock is set instead.
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 60_000);
    const file = new BundleFile(path, ENTRYPOINT);
    const first = await file.load();
    expect(await file.load()).toBe(first);
    expect(readPlainFile).toHaveBeenCalledTimes(1);
    await utimes(path, 1, 1);
    expect(await file.load()).toBe(first);
    expect(readPlainFile).toHaveBeenCalledTimes(2);
  });

  it('is loaded while the event loop turns, its memory copied a part at a time', async () => {
    await writeFile(path, large);
    const file = new BundleFile(path, ENTRYPOINT);
    expect(await turnsDuring(file.load())).toBeGreaterThan(100);
    const evaluator = await file.load();
    expect(evaluator.memoryBytes).toBeGreaterThan(8 * 2 ** 20);
    expect(JSON.parse(evaluator.evaluate(inputOf('user 29999')))).toEqual([
      { result: { result: 'ALLOW' } },
    ]);
    expect(evaluator.evaluate(inputOf('user 30000'))).toBe('[]');
  });

  it.each([
    [
      { timeout: 1, heap: 256 },
      'cannot be used: loading it failed: it takes longer than 0.001 s',
    ],
    [
      { timeout: 60_000, heap: 6 },
      'cannot be used: loading it failed: it needs more than 6 MiB of memory',
    ],
  ])('that needs more than the limits %j is refused', async (limits, message) => {
    await writeFile(path, large);
    const file = new BundleFile(path, ENTRYPOINT, limits);
    expect((await errorOf(file)).message).toBe(`the bundle '${path}' ${message}`);
    // That may be the fault of the machine, so it is tried again when asked.
    await errorOf(file);
    expect(inWorker).toHaveBeenCalledTimes(2);
  });
});
