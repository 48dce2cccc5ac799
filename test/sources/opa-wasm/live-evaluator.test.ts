/** A bundle is kept current, and the last good one stays in use while its file is bad. */
import { execFile } from 'node:child_process';
import { once, EventEmitter } from 'node:events';
import { unwatchFile, watchFile } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as fileWatch from '../../../src/lib/file-watch';
import * as worker from '../../../src/lib/in-worker';
import type { PlainFile } from '../../../src/lib/plain-file';
import { LiveEvaluator } from '../../../src/sources/opa-wasm/live-evaluator';
import { temporaryFolder } from '../../support/backend';
import { CapturedLogs } from '../../support/captured-logs';
import {
  buildBundle,
  constant,
  ENTRYPOINT,
  inputOf,
} from '../../support/tested-policy';
import { describeWithOpa } from '../../support/with-opa';

/** Tells when a file has been read, and how often each was: one may be read past its test's end. */
const mockReadings = Object.assign(new EventEmitter(), {
  finished: new Map<string, number>(),
});

jest.mock('../../../src/lib/file-watch', () => {
  const actual = jest.requireActual<typeof fileWatch>('../../../src/lib/file-watch');
  const readSettledAndTell: typeof actual.readSettled = async (path, limits) => {
    try {
      return await actual.readSettled(path, limits);
    } finally {
      const { finished } = mockReadings;
      finished.set(path, (finished.get(path) ?? 0) + 1);
      mockReadings.emit('finished');
    }
  };
  return { ...actual, readSettled: jest.fn(readSettledAndTell) };
});
const readSettled = jest.mocked(fileWatch.readSettled);

jest.mock('../../../src/lib/in-worker', () => {
  const actual = jest.requireActual<typeof worker>('../../../src/lib/in-worker');
  return { ...actual, inWorker: jest.fn(actual.inWorker) };
});
const inWorker = jest.mocked(worker.inWorker);

let folder: string;
let file: string;
let logs: CapturedLogs;
const open: LiveEvaluator[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  file = join(folder, 'bundle.tar.gz');
  logs = new CapturedLogs();
});

afterEach(async () => {
  jest.restoreAllMocks();
  readSettled.mockClear();
  for (const live of open.splice(0)) live.close();
  await rm(folder, { recursive: true });
});

async function load(bundle = file, name = 'embedded'): Promise<LiveEvaluator> {
  const live = await LiveEvaluator.load(bundle, ENTRYPOINT, name, logs.logger());
  open.push(live);
  return live;
}

async function liveOf(bundle: Buffer): Promise<LiveEvaluator> {
  await writeFile(file, bundle);
  return load();
}

describe('a bundle', () => {
  it('that is missing is an error', async () => {
    await expect(load()).rejects.toThrow(
      expect.objectContaining({
        message: `the bundle '${file}' does not exist (looked for ${file})`,
      }) as Error,
    );
  });

  it('that is a folder is an error', async () => {
    await mkdir(file);
    await expect(load()).rejects.toThrow(
      expect.objectContaining({
        message: `the bundle '${file}' is not a plain file (a folder)`,
      }) as Error,
    );
  });

  it('that cannot be used is an error that names its file', async () => {
    await writeFile(file, 'hello');
    await expect(load()).rejects.toThrow(
      expect.objectContaining({
        message: `the bundle '${file}' cannot be used: it is not a gzip file (Z_DATA_ERROR)`,
      }) as Error,
    );
  });
});

describeWithOpa('the file of a bundle', () => {
  const bundles: Record<string, Buffer> = {};
  beforeAll(async () => {
    for (const result of ['ALLOW', 'DENY', 'NOT_APPLICABLE'])
      bundles[result] = await buildBundle(constant(result));
  });
  const bundleOf = (result: string): Buffer => bundles[result]!;
  const young = (content: Buffer): PlainFile => ({ content, version: undefined });

  const kind = (live: LiveEvaluator): string => {
    const results: unknown = JSON.parse(live.current.evaluate(inputOf('any')));
    const [first] = results as Array<{ result: { result: string } }>;
    return first!.result.result;
  };

  const CHANGED = 'has changed and is in use';
  const REFUSED = 'the changed bundle is not used, the last good one stays';

  /** Does something to the file and waits for the line that says what came of it. */
  async function change(does: () => Promise<unknown>, line: string): Promise<string> {
    const since = logs.lines.length;
    await does();
    const { level, message } = await logs.waitFor(line, since);
    return `${level}: ${message}`;
  }

  const finished = (): number => mockReadings.finished.get(file) ?? 0;

  /** When so many readings of this test's file are over. */
  async function readings(count: number): Promise<void> {
    const signal = AbortSignal.timeout(20_000);
    while (finished() < count) await once(mockReadings, 'finished', { signal });
  }

  it('is taken into use when it changes; what is bad changes nothing', async () => {
    const live = await liveOf(bundleOf('DENY'));
    expect(kind(live)).toBe('DENY');

    expect(await change(() => writeFile(file, bundleOf('ALLOW')), CHANGED)).toBe(
      `info: Source 'embedded': the bundle '${file}' has changed and is in use`,
    );
    expect(kind(live)).toBe('ALLOW');

    expect(await change(() => writeFile(file, 'hello'), REFUSED)).toBe(
      `error: Source 'embedded': ${REFUSED}: the bundle '${file}' cannot be used: it is not a gzip file (Z_DATA_ERROR)`,
    );
    expect(kind(live)).toBe('ALLOW');

    expect(await change(() => rm(file), REFUSED)).toContain('does not exist');
    expect(kind(live)).toBe('ALLOW');

    await change(() => writeFile(file, bundleOf('DENY')), CHANGED);
    expect(kind(live)).toBe('DENY');
  });

  it('is spoken of once while it stays bad in the same way', async () => {
    const live = await liveOf(bundleOf('DENY'));
    const since = logs.lines.length;
    await change(() => writeFile(file, 'hello'), REFUSED);
    const before = finished();
    await writeFile(file, 'hello again');
    await readings(before + 1);
    await change(() => writeFile(file, bundleOf('ALLOW')), CHANGED);
    expect(kind(live)).toBe('ALLOW');
    expect(logs.lines.slice(since).map(({ level }) => level)).toEqual([
      'error',
      'info',
    ]);
  });

  it('is spoken of when it is valid again without having changed', async () => {
    const live = await liveOf(bundleOf('ALLOW'));
    await change(() => writeFile(file, 'hello'), REFUSED);
    expect(await change(() => writeFile(file, bundleOf('ALLOW')), 'valid again')).toBe(
      `info: Source 'embedded': the bundle '${file}' is valid again and in use`,
    );
    await change(() => writeFile(file, 'hello'), REFUSED);
    expect(kind(live)).toBe('ALLOW');
  });

  it('may be replaced by an atomic rename', async () => {
    const live = await liveOf(bundleOf('DENY'));
    for (const result of ['ALLOW', 'DENY']) {
      await change(async () => {
        await writeFile(`${file}.new`, bundleOf(result));
        await rename(`${file}.new`, file);
      }, CHANGED);
      expect(kind(live)).toBe(result);
    }
  });

  it('may be a Kubernetes ConfigMap, which swaps a symlink to a folder', async () => {
    const publish = async (version: string, result: string): Promise<void> => {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, 'bundle.tar.gz'), bundleOf(result));
      await symlink(version, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await publish('..2026_01', 'DENY');
    await symlink(join('..data', 'bundle.tar.gz'), file);
    const live = await load();
    expect(kind(live)).toBe('DENY');
    await change(() => publish('..2026_02', 'ALLOW'), CHANGED);
    await rm(join(folder, '..2026_01'), { recursive: true });
    expect(kind(live)).toBe('ALLOW');
    await change(() => publish('..2026_03', 'DENY'), CHANGED);
    expect(kind(live)).toBe('DENY');
  });

  it('may change before the watch begins', async () => {
    await writeFile(file, bundleOf('DENY'));
    readSettled.mockImplementationOnce(async () => {
      await writeFile(file, bundleOf('ALLOW'));
      return young(bundleOf('DENY'));
    });
    const live = await load();
    await logs.waitFor(CHANGED);
    expect(kind(live)).toBe('ALLOW');
  });

  it('may be that of two sources, of which one closes', async () => {
    const first = await liveOf(bundleOf('DENY'));
    const second = await load(file, 'second');
    await change(() => writeFile(file, bundleOf('ALLOW')), "Source 'second'");
    await logs.waitFor("Source 'embedded'");
    expect([kind(first), kind(second)]).toEqual(['ALLOW', 'ALLOW']);
    first.close();
    await change(() => writeFile(file, bundleOf('NOT_APPLICABLE')), "Source 'second'");
    expect([kind(first), kind(second)]).toEqual(['ALLOW', 'NOT_APPLICABLE']);
  });

  it('is not looked at any more once it is closed', async () => {
    const live = await liveOf(bundleOf('DENY'));
    await readings(2);
    live.close();
    const seen = new Promise<void>(resolve => {
      watchFile(file, { interval: 50 }, () => resolve());
    });
    await writeFile(file, bundleOf('ALLOW'));
    await seen;
    unwatchFile(file);
    expect(readSettled.mock.calls.filter(([path]) => path === file)).toHaveLength(2);
    expect(kind(live)).toBe('DENY');
  });

  it('changes nothing when it closes while the file is read', async () => {
    const live = await liveOf(bundleOf('DENY'));
    await readings(2);
    let release: (file: PlainFile) => void = () => {};
    const begun = new Promise<void>(resolve => {
      readSettled.mockImplementationOnce(() => {
        resolve();
        return new Promise(settle => (release = settle));
      });
    });
    const { inWorker: load } = jest.requireActual<typeof worker>(
      '../../../src/lib/in-worker',
    );
    const loaded = new Promise<void>(resolve => {
      inWorker.mockImplementationOnce(async (...args) => {
        const image = await load(...args);
        resolve();
        return image;
      });
    });
    await writeFile(file, bundleOf('ALLOW'));
    await begun;
    live.close();
    release(young(bundleOf('ALLOW')));
    await loaded;
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    expect(kind(live)).toBe('DENY');
    expect(logs.lines).toEqual([]);
  });

  it('keeps no process alive', async () => {
    await writeFile(file, bundleOf('ALLOW'));
    const script = `
      const { LiveEvaluator } = require('./src/sources/opa-wasm/live-evaluator.ts');
      LiveEvaluator.load(${JSON.stringify(file)}, '${ENTRYPOINT}', 'embedded', console)
        .then(() => console.log('loaded'));`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--eval', script],
      { timeout: 30_000 },
    );
    expect(stdout).toBe('loaded\n');
  });
});
