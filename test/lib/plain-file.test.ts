/** Whatever is at a path is read within limits, or refused with what it is. */
import { execFile } from 'node:child_process';
import fs, {
  appendFile,
  mkdir,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PassingProblem } from '../../src/lib/last-good';
import { lookAt, readPlainFile } from '../../src/lib/plain-file';
import { temporaryFolder } from '../support/backend';
import { until } from '../support/until';

const run = promisify(execFile);
const MAX = 1000;

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  file = join(folder, 'file');
});
afterEach(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const read = (path = file, maxBytes = MAX) => readPlainFile(path, { maxBytes });
const errorOf = (path = file, maxBytes = MAX): Promise<Error> =>
  read(path, maxBytes).then(
    () => new Error('it was read'),
    (error: Error) => error,
  );

describe('a plain file', () => {
  it.each(['', 'content', 'x'.repeat(MAX)])('is read (%#)', async text => {
    await writeFile(file, text);
    expect((await read()).content.toString()).toBe(text);
  });

  it('may be larger than it says, as in /proc', async () => {
    const { content } = await read('/proc/self/status', 100_000);
    expect(content.toString()).toMatch(/^Name:[^]+nonvoluntary_ctxt_switches:.*\n$/);
  });

  it('has no version while it is young', async () => {
    await writeFile(file, 'content');
    expect((await read()).version).toBeUndefined();
  });

  it('has the version of a look at it, until it changes', async () => {
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 60_000);
    await writeFile(file, 'content');
    const { version } = await read();
    expect(await lookAt(file)).toEqual({ version, isUnlinked: false });
    await writeFile(file, 'context');
    expect(version).not.toBe((await lookAt(file)).version);
  });
});

describe('anything else is refused', () => {
  it.each<[what: string, make: () => unknown, message: string]>([
    ['a FIFO', () => run('mkfifo', [file]), 'is not a plain file (a FIFO)'],
    ['a folder', () => mkdir(file), 'is not a plain file (a folder)'],
    [
      'a link to a device without end',
      () => symlink('/dev/zero', file),
      'is not a plain file (a device)',
    ],
    [
      'a huge file, before it is read',
      async () => {
        await writeFile(file, '');
        await truncate(file, 2 ** 31);
      },
      'is larger than 1000 bytes',
    ],
    [
      'a file that is one byte too large',
      () => writeFile(file, 'x'.repeat(MAX + 1)),
      'is larger than 1000 bytes',
    ],
  ])('such as %s', async (_what, make, message) => {
    await make();
    const error = await errorOf();
    expect(error).not.toBeInstanceOf(PassingProblem);
    expect(error.message).toBe(message);
  });

  it('such as a socket', async () => {
    const server = createServer().listen(file);
    await once(server, 'listening');
    expect((await errorOf()).message).toBe('is not a plain file (a socket)');
    server.close();
    await once(server, 'close');
    // The server has removed it.
    await writeFile(file, '');
  });

  it('such as a file of /proc that is larger than it says', async () => {
    expect((await errorOf('/proc/self/status', 100)).message).toBe(
      'is larger than 100 bytes',
    );
  });

  it('such as a FIFO that takes the place of the file after the first look', async () => {
    const fifo = join(folder, 'fifo');
    await run('mkfifo', [fifo]);
    await writeFile(file, 'content');
    const { open } = fs;
    jest.spyOn(fs, 'open').mockImplementation((_path, flags) => open(fifo, flags));
    expect((await errorOf()).message).toBe('is not a plain file (a FIFO)');
  });
});

describe('a problem that may pass', () => {
  it('is that there is no file', async () => {
    const error = await errorOf();
    expect(error).toBeInstanceOf(PassingProblem);
    expect(error.message).toBe(`does not exist (looked for ${file})`);
  });

  it('is that it cannot be opened', async () => {
    await symlink(file, file);
    const error = await errorOf();
    expect(error).toBeInstanceOf(PassingProblem);
    expect(error.message).toBe('cannot be read (ELOOP)');
  });
});

describe('a file that hangs', () => {
  /** Opening a file of such a name waits until the test says otherwise. */
  let opened: string[];
  let release: () => void;
  beforeEach(async () => {
    opened = [];
    const { open } = fs;
    const released = new Promise<void>(resolve => (release = resolve));
    jest.spyOn(fs, 'open').mockImplementation(async (path, flags) => {
      opened.push(String(path));
      if (String(path).includes('hanging')) await released;
      return open(path, flags);
    });
  });

  const LIMITS = { maxBytes: MAX, timeout: 50 };
  const named = async (name: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, 'content');
    return path;
  };
  const LATE = 'cannot be read: it takes longer than 0.05 s';

  it('is given up, and not read again while it hangs; then it is', async () => {
    const path = await named('hanging');
    const readings = [1, 2, 3].map(() => readPlainFile(path, LIMITS));
    for (const reading of readings) {
      await expect(reading).rejects.toThrow(PassingProblem);
      await expect(reading).rejects.toThrow(LATE);
    }
    await expect(readPlainFile(path, LIMITS)).rejects.toThrow(LATE);
    // Refused at once: its own time is longer than the test's.
    await expect(lookAt(path, 600_000)).rejects.toThrow(/takes longer than/);
    expect(opened).toEqual([path]);
    release();
    await until(() => lookAt(path).catch(() => false), 'it can be looked at');
    expect((await read(path)).content.toString()).toBe('content');
    expect(opened).toEqual([path, path]);
  });

  it('does not stop another, unless two hang', async () => {
    const [first, second] = [await named('hanging 1'), await named('hanging 2')];
    const other = await named('other');
    await expect(readPlainFile(first, LIMITS)).rejects.toThrow(LATE);
    expect((await read(other)).content.toString()).toBe('content');
    await expect(readPlainFile(second, LIMITS)).rejects.toThrow(LATE);
    await expect(read(other)).rejects.toThrow(
      'cannot be read: reading other files takes too long',
    );
    expect(opened).toEqual([first, other, second]);
    release();
    await until(() => read(other).catch(() => false), 'the other can be read');
  });
});

it('a file that grows while it is read is read to its end', async () => {
  await writeFile(file, 'x'.repeat(10));
  const { open } = fs;
  jest.spyOn(fs, 'open').mockImplementation(async (path, flags) => {
    const handle = await open(path, flags);
    const stats = await handle.stat({ bigint: true });
    await appendFile(file, 'y'.repeat(500));
    handle.stat = () => Promise.resolve(stats) as never;
    return handle;
  });
  expect((await read()).content.toString()).toBe('x'.repeat(10) + 'y'.repeat(500));
});
