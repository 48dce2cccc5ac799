/** Every change of a file is seen, and its content is read once it has settled. */
import { once, EventEmitter } from 'node:events';
import fs, { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { followFile, readSettled } from '../../src/lib/file-watch';
import { temporaryFolder } from '../support/backend';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  file = join(folder, 'followed');
});
afterEach(() => rm(folder, { recursive: true }));

/** Changes the file until that is seen: the first look at it may come after the first change. */
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

describe('a followed file', () => {
  it('is looked at once more after any number of changes during a look', async () => {
    const events = new EventEmitter();
    const releases: Array<() => void> = [];
    let under = 0;
    const end = followFile(file, async () => {
      under++;
      expect(under).toBe(1);
      await new Promise<void>(resolve => {
        releases.push(resolve);
        events.emit('look');
      });
      under--;
    });
    expect(releases).toHaveLength(1);
    // Several changes are seen while the first look goes on.
    const changes = new EventEmitter();
    const endOther = followFile(file, async () => void changes.emit('change'));
    await changeUntil(once(changes, 'change'));
    await changeUntil(once(changes, 'change'));
    expect(releases).toHaveLength(1);
    const second = once(events, 'look');
    releases[0]!();
    await second;
    expect(releases).toHaveLength(2);
    end();
    endOther();
    releases[1]!();
    await new Promise(setImmediate);
    expect(releases).toHaveLength(2);
  });

  it('is not looked at again after the end', async () => {
    let looks = 0;
    let release = (): void => {};
    const end = followFile(file, async () => {
      looks++;
      await new Promise<void>(resolve => (release = resolve));
    });
    const seen = new EventEmitter();
    const endOther = followFile(file, async () => void seen.emit('look'));
    await changeUntil(once(seen, 'look'));
    end();
    release();
    await new Promise(setImmediate);
    endOther();
    expect(looks).toBe(1);
  });
});
