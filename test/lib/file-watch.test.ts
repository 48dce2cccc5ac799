/** Every change of a file is seen, and its content is read once it has settled. */
import { once, EventEmitter } from 'node:events';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readSettled, watchPath } from '../../src/lib/file-watch';
import { PassingProblem } from '../../src/lib/last-good';
import * as plainFile from '../../src/lib/plain-file';
import { temporaryFolder } from '../support/backend';
import { until } from '../support/until';

jest.mock('../../src/lib/plain-file', () => ({
  readPlainFile: jest.fn(),
  lookAt: jest.fn(),
}));
const actual = jest.requireActual<typeof plainFile>('../../src/lib/plain-file');
const readPlainFile = jest.mocked(plainFile.readPlainFile);
const lookAt = jest.mocked(plainFile.lookAt);

let folder: string;
let file: string;
beforeEach(async () => {
  readPlainFile.mockReset().mockImplementation(actual.readPlainFile);
  lookAt.mockReset().mockImplementation(actual.lookAt);
  folder = await temporaryFolder();
  file = join(folder, 'watched');
});
afterEach(() => rm(folder, { recursive: true }));

/** Changes the file until that is seen: the watch may first look at it after the first change. */
async function changeUntil(seen: Promise<unknown>): Promise<void> {
  let isSeen = false;
  void seen.then(() => (isSeen = true));
  for (let content = '1'; !isSeen; content += '1') {
    await writeFile(file, content);
    await Promise.race([seen, delay(2000, undefined, { ref: false })]);
  }
}

const LIMITS = { maxBytes: 1000 };

const seen = (version: string, isUnlinked = false): plainFile.Look => ({
  version,
  isUnlinked,
});

const unexpected = (): void => {
  throw new Error('it is not stuck');
};

/** On every change of the file. */
const watchFor = (changed: () => void): (() => void) =>
  watchPath(file, { changed, stuck: unexpected });

describe('a settled reading', () => {
  /** Each reading finds the next of these contents, and the last one from then on. */
  function contents(version: string | undefined, ...found: string[]): void {
    readPlainFile.mockImplementation(() => {
      const content = found.length > 1 ? found.shift()! : found[0]!;
      return Promise.resolve({ content: Buffer.from(content), version });
    });
  }
  const text = async (): Promise<string> =>
    (await readSettled(file, LIMITS)).content.toString();

  it('is the content of the file', async () => {
    await writeFile(file, 'content');
    expect(await text()).toBe('content');
  });

  it('is the content that the last writer left', async () => {
    contents(undefined, '', 'half', 'whole');
    expect(await text()).toBe('whole');
    expect(readPlainFile).toHaveBeenCalledTimes(4);
  });

  it('is one reading if the file has not changed for a while', async () => {
    contents('old', 'whole');
    lookAt.mockResolvedValue(seen('old'));
    expect(await text()).toBe('whole');
    expect([readPlainFile.mock.calls.length, lookAt.mock.calls.length]).toEqual([1, 1]);
  });

  it('is another if it has changed since', async () => {
    contents('old', 'half', 'whole');
    lookAt.mockResolvedValueOnce(seen('new')).mockResolvedValue(seen('old'));
    expect(await text()).toBe('whole');
    expect(readPlainFile).toHaveBeenCalledTimes(2);
  });

  it('is refused while the file keeps changing, which may pass', async () => {
    contents(
      undefined,
      ...Array.from({ length: 100 }, (_, version) => String(version)),
    );
    const reading = readSettled(file, LIMITS);
    await expect(reading).rejects.toThrow(/^keeps changing while it is being read$/);
    await expect(reading).rejects.toThrow(PassingProblem);
  });

  it('says where it looked for a file that does not exist', async () => {
    await expect(readSettled(file, LIMITS)).rejects.toThrow(
      `does not exist (looked for ${file})`,
    );
  });
});

describe('a watched path', () => {
  const events = new EventEmitter();
  const watch = (): (() => void) => watchFor(() => void events.emit('change'));

  it('reports a change, a deletion and the return of the file', async () => {
    await writeFile(file, 'content');
    const end = watch();
    await changeUntil(once(events, 'change'));
    const deleted = once(events, 'change');
    await rm(file);
    await deleted;
    await changeUntil(once(events, 'change'));
    end();
  });

  it('reports that a symlink on the way leads elsewhere, as in a ConfigMap', async () => {
    const versions = ['first', 'second'].map(name => join(folder, name));
    for (const version of versions) {
      await mkdir(version);
      await writeFile(join(version, 'table'), version);
    }
    const data = join(folder, 'data');
    await symlink(versions[0]!, data);
    await symlink(join('data', 'table'), file);
    const end = watch();
    const swapped = once(events, 'change');
    await symlink(versions[1]!, `${data}-next`);
    await rename(`${data}-next`, data);
    await swapped;
    end();
  });

  it('reports nothing more after the end, and other watches of it go on', async () => {
    let reports = 0;
    const end = watchFor(() => void reports++);
    const endOther = watch();
    await changeUntil(once(events, 'change'));
    expect(reports).toBeGreaterThan(0);
    end();
    const before = reports;
    await changeUntil(once(events, 'change'));
    endOther();
    expect(reports).toBe(before);
  });

  it('is polled once, however many watch it', async () => {
    const ends = Array.from({ length: 20 }, watch);
    await until(() => lookAt.mock.calls.length >= 3, 'it has been polled');
    for (const end of ends) end();
    // Twenty polls of their own would have been sixty.
    expect(lookAt.mock.calls.length).toBeLessThan(20);
  });

  it('reports that it cannot be looked at any more, once, and that it can again', async () => {
    await writeFile(file, 'content');
    let reports = 0;
    const end = watchFor(() => void reports++);
    await until(() => lookAt.mock.results.length >= 1, 'it has been polled');
    await lookAt.mock.results[0]!.value;
    lookAt.mockRejectedValue(new PassingProblem('cannot be read: it takes too long'));
    const before = lookAt.mock.calls.length;
    await until(
      () => lookAt.mock.calls.length >= before + 3,
      'it has been polled again',
    );
    expect(reports).toBe(1);
    lookAt.mockImplementation(actual.lookAt);
    await until(() => reports === 2, 'the return is reported');
    end();
  });

  describe('whose file was unlinked, but is still there', () => {
    const polled = async (times: number): Promise<void> => {
      const before = lookAt.mock.calls.length;
      await until(
        () => lookAt.mock.calls.length > before + times,
        'it has been polled',
      );
    };

    it('is stuck, which each watch reports once', async () => {
      lookAt.mockResolvedValue(seen('a', true));
      const reports = [0, 0];
      const ends = reports.map((_, index) =>
        watchPath(file, { changed: () => {}, stuck: () => void reports[index]!++ }),
      );
      await polled(4);
      ends.push(
        watchPath(file, { changed: () => {}, stuck: () => void reports.push(1) }),
      );
      await polled(4);
      for (const end of ends) end();
      expect(reports).toEqual([1, 1, 1]);
    });

    it('is not stuck if one look says so, as while another is renamed over it', async () => {
      lookAt
        .mockResolvedValueOnce(seen('a', true))
        .mockResolvedValueOnce(seen('b'))
        .mockResolvedValueOnce(seen('b', true))
        .mockResolvedValue(seen('c'));
      let stuck = 0;
      const end = watchPath(file, { changed: () => {}, stuck: () => void stuck++ });
      await polled(5);
      end();
      expect(stuck).toBe(0);
    });
  });
});
