/** Every change of a file is seen, and its content is read once it has settled. */
import { once, EventEmitter } from 'node:events';
import fs, { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readSettled, watchPath } from '../../src/lib/file-watch';
import { temporaryFolder } from '../support/backend';

let folder: string;
let file: string;
beforeEach(async () => {
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

describe('a settled reading', () => {
  /** Each reading finds the next of these contents, and the last one from then on. */
  function contents(...found: string[]): jest.SpyInstance {
    return jest.spyOn(fs, 'readFile').mockImplementation(() => {
      const content = found.length > 1 ? found.shift()! : found[0]!;
      return Promise.resolve(Buffer.from(content));
    });
  }
  afterEach(() => jest.restoreAllMocks());

  it('is the content of the file', async () => {
    await writeFile(file, 'content');
    expect((await readSettled(file)).toString()).toBe('content');
  });

  it('is the content that the last writer left', async () => {
    const reading = contents('', 'half', 'whole');
    expect((await readSettled(file)).toString()).toBe('whole');
    expect(reading).toHaveBeenCalledTimes(4);
  });

  it('is refused while the file keeps changing', async () => {
    contents(...Array.from({ length: 100 }, (_, version) => String(version)));
    await expect(readSettled(file)).rejects.toThrow(
      /^keeps changing while it is being read$/,
    );
  });

  it('says where it looked for a file that does not exist', async () => {
    await expect(readSettled(file)).rejects.toThrow(
      `does not exist (looked for ${file})`,
    );
  });
});

describe('a watched path', () => {
  const events = new EventEmitter();
  const watch = (): (() => void) => watchPath(file, () => void events.emit('change'));

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
    const end = watchPath(file, () => void reports++);
    const endOther = watch();
    await changeUntil(once(events, 'change'));
    expect(reports).toBeGreaterThan(0);
    end();
    const before = reports;
    await changeUntil(once(events, 'change'));
    endOther();
    expect(reports).toBe(before);
  });
});
