/**
 * A file that is mounted by itself, as by Docker's `-v file:file` or a `subPath` of Kubernetes, and
 * replaced where it is stored: the old one stays at the path for ever.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LiveEvaluator } from '../../src/sources/opa-wasm/live-evaluator';
import { temporaryFolder } from '../support/backend';
import { CapturedLogs } from '../support/captured-logs';
import { startRouter } from '../support/router';
import { buildBundle, constant, ENTRYPOINT } from '../support/tested-policy';
import { describeWithOpa } from '../support/with-opa';

const run = promisify(execFile);

/** Why no file can be mounted here; undefined if one can. */
function whyNoMount(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'mount-'));
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  try {
    writeFileSync(from, '');
    writeFileSync(to, '');
    execFileSync('mount', ['--bind', from, to], { stdio: 'ignore' });
    execFileSync('umount', [to], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'this user or system cannot bind-mount';
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const noMount = whyNoMount();
const itWithMount = noMount === undefined ? it : it.skip;
const noProc = process.platform === 'linux' ? undefined : 'there is no /proc';
const itWithProc = noProc === undefined ? it : it.skip;
const because = (why: string | undefined): string =>
  why === undefined ? '' : ` (skipped: ${why})`;

const TABLE = 'fallback: deny\nroutes: [{ prefix: catalog, sources: [allow] }]\n';
const ADVICE = 'mount the folder, not the file';

let folder: string;
let logs: CapturedLogs;
beforeEach(async () => {
  folder = await temporaryFolder();
  logs = new CapturedLogs();
});
afterEach(() => rm(folder, { recursive: true }));

const warnings = (): string[] =>
  logs.lines
    .filter(({ message }) => message.includes(ADVICE))
    .map(({ level, message }) => `${level} ${message}`);

/** Starts a router on this routing file, and replaces the file. */
async function replaceRoutingFile(
  routingFile: string,
  replace: () => Promise<void>,
): Promise<void> {
  const router = await startRouter({ routingFile }, { logger: logs.logger() });
  try {
    await replace();
    await logs.waitFor(ADVICE);
  } finally {
    router.close();
  }
  expect(warnings()).toEqual([expect.stringContaining(`'${routingFile}'`)]);
}

itWithMount(
  `a routing file that is mounted and replaced is named, once${because(noMount)}`,
  async () => {
    const [stored, mounted] = [join(folder, 'stored'), join(folder, 'mounted')];
    await writeFile(stored, TABLE);
    await writeFile(mounted, '');
    await run('mount', ['--bind', stored, mounted]);
    try {
      await replaceRoutingFile(mounted, async () => {
        await writeFile(`${stored}.new`, TABLE.replace('deny', 'allow'));
        await rename(`${stored}.new`, stored);
      });
      expect((await stat(mounted)).nlink).toBe(0);
    } finally {
      await run('umount', [mounted]);
    }
  },
);

itWithProc(
  `a routing file without a name is named, once${because(noProc)}`,
  async () => {
    const stored = join(folder, 'stored');
    await writeFile(stored, TABLE);
    const file = await open(stored);
    try {
      await replaceRoutingFile(`/proc/self/fd/${file.fd}`, () => rm(stored));
    } finally {
      await file.close();
    }
  },
);

describeWithOpa('a bundle', () => {
  itWithProc(`without a name is named, once${because(noProc)}`, async () => {
    const stored = join(folder, 'bundle.tar.gz');
    await writeFile(stored, await buildBundle(constant('ALLOW')));
    const file = await open(stored);
    const path = `/proc/self/fd/${file.fd}`;
    const evaluator = await LiveEvaluator.load(
      path,
      ENTRYPOINT,
      'embedded',
      logs.logger(),
    );
    try {
      await rm(stored);
      await logs.waitFor(ADVICE);
    } finally {
      evaluator.close();
      await file.close();
    }
    expect(warnings()).toEqual([
      expect.stringContaining(`warn Source 'embedded': the bundle '${path}'`),
    ]);
  });
});
