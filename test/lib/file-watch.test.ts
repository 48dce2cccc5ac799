/** Every change of a file is seen, and its content is read once it has settled. */
import { once, EventEmitter } from 'node:events';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { followFile, readSettled } from '../../src/lib/file-watch';
import { temporaryFolder } from '../support/backend';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  file = join(folder, 'followed');
});
afterEach(() => rm(folder, { recursive: true }));

describe('a settled reading', () => {
  it('is the content that the last writer left', async () => {
    await writeFile(file, 'half');
    const reading = readSettled(file);
    await writeFile(file, 'whole');
    expect((await reading).toString()).toBe('whole');
  });

  it('is refused while the file keeps changing', async () => {
    await writeFile(file, '0');
    let done = false;
    const reading = readSettled(file).finally(() => (done = true));
    const writing = (async () => {
      for (let version = 1; !done; version++) {
        await writeFile(`${file}.new`, String(version));
        await rename(`${file}.new`, file);
      }
    })();
    await expect(reading).rejects.toThrow(/^keeps changing while it is being read$/);
    await writing;
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
    // Both changes are seen while the first look goes on.
    const changes = new EventEmitter();
    const endOther = followFile(file, async () => void changes.emit('change'));
    for (const content of ['1', '22']) {
      const change = once(changes, 'change');
      await writeFile(file, content);
      await change;
    }
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
    const change = once(seen, 'look');
    await writeFile(file, 'changed');
    await change;
    end();
    release();
    await new Promise(setImmediate);
    endOther();
    expect(looks).toBe(1);
  });
});
