import { execFile, type ExecFileException } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, createWriteStream } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** The version that `go install` builds and that the release table below is for. */
export const OPA_VERSION = 'v1.20.2';

/** Older binaries differ in the Rego and flags that the tests rely on. */
const OLDEST_VERSION = '1.4.0';

const GO_PACKAGE = 'github.com/open-policy-agent/opa';
const RELEASES = 'https://github.com/open-policy-agent/opa/releases/download';

const VERSION_TIMEOUT_MS = 10_000;
const GO_TIMEOUT_MS = 10 * 60_000;
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000;
const MAX_OUTPUT = 64 * 1024 * 1024;
const OUTPUT_LINES = 15;

interface ReleaseAsset {
  name: string;
  sha256: string;
}

/**
 * Official release binaries of OPA_VERSION, by Node's platform and architecture. Each
 * checksum was found equal in two public repositories of different owners. Intel macOS is
 * missing on purpose: its checksum was found only once. Change all of it with OPA_VERSION.
 *
 * All are in prasenjitsingh5/soc-agent-assurance-lab, soclab/policy/opa_binary.py; and
 * - linux-x64 in EHCOnomics-Systems/EHCOsystem, comparison/c1b/v1/README.md
 * - linux-arm64 in crystal-warden/prism-path, prismpath/comparisons/toolchain/install.sh
 * - darwin-arm64 in sh4mbhavi/AutoAudit, docs/compliance/phase-2/README.md
 * - win32-x64 in mmkolpakov/robotics-runtime-infra, docker/opa/README.md
 */
const RELEASE_ASSETS: Readonly<Record<string, ReleaseAsset>> = {
  'linux-x64': {
    name: 'opa_linux_amd64_static',
    sha256: '69da5179ee403d10fa11bab6cfb4ffb0d23dba5f9b682fa977db772a1da5670f',
  },
  'linux-arm64': {
    name: 'opa_linux_arm64_static',
    sha256: '431bed5a365578241ab06c7cc1c7d0cdff8c11dcbc6f12c3488590deb8b8d66d',
  },
  'darwin-arm64': {
    name: 'opa_darwin_arm64',
    sha256: '54e7008e696d39e8e4f96594e2b71bcbe45fd9a4f838102bcf1240638bf3fbe1',
  },
  'win32-x64': {
    name: 'opa_windows_amd64.exe',
    sha256: 'e2f2e2b735ab98f316171ca47a6b352288cdeb5a616e31aa16335b8934748453',
  },
};

export type ObtainedOpa =
  { path: string; from: string } | { path?: undefined; reason: string };

/** Finds or fetches a real OPA; throws only when OPA_BIN is set to something unusable. */
export async function obtainOpa(): Promise<ObtainedOpa> {
  const chosen = process.env.OPA_BIN;
  if (chosen) return fromChosen(chosen);

  const failures: string[] = [];
  const ways: [string, () => Promise<ObtainedOpa>][] = [
    ['opa on PATH', fromPath],
    ['cached binary', fromCache],
    [`go install ${OPA_VERSION}`, fromGoInstall],
    [`official release ${OPA_VERSION}`, fromRelease],
  ];
  for (const [name, way] of ways) {
    try {
      const result = await way();
      if (result.path !== undefined) return result;
      failures.push(`${name}: ${result.reason}`);
    } catch (error) {
      failures.push(`${name}: ${describeError(error)}`);
    }
  }
  const list = failures.map(failure => `  - ${failure.replaceAll('\n', '\n    ')}`);
  return {
    reason: [
      'No OPA binary could be obtained:',
      ...list,
      `Set OPA_BIN to an OPA binary of version ${OLDEST_VERSION} or newer.`,
    ].join('\n'),
  };
}

/** Does not fall back to another binary if OPA_BIN is set, because that would hide a typo. */
async function fromChosen(file: string): Promise<ObtainedOpa> {
  const path = resolve(file);
  const probe = await probeOpa(path);
  if (probe.version === undefined) {
    throw new Error(
      `OPA_BIN is set to ${file}, which cannot be used as OPA: ${probe.reason}`,
    );
  }
  return { path, from: `OPA_BIN (${probe.version})` };
}

async function fromPath(): Promise<ObtainedOpa> {
  const found = await findOnPath('opa');
  const skipped: string[] = [];
  for (const path of found) {
    const probe = await probeOpa(path);
    if (probe.version === undefined) {
      skipped.push(`${path}: ${probe.reason}`);
    } else if (!isAtLeast(probe.version, OLDEST_VERSION)) {
      skipped.push(`${path} is ${probe.version}, older than ${OLDEST_VERSION}`);
    } else {
      return { path, from: `PATH (${probe.version})` };
    }
  }
  return { reason: skipped.length > 0 ? skipped.join('; ') : 'none found' };
}

async function fromCache(): Promise<ObtainedOpa> {
  const path = cachedBinary();
  if (!(await isExecutable(path))) return { reason: `none at ${path}` };
  return usable(path, 'cache');
}

async function fromGoInstall(): Promise<ObtainedOpa> {
  const [go] = await findOnPath('go');
  if (go === undefined) return { reason: 'go is not on PATH' };

  return inTempFolder(async folder => {
    // The tests run OPA on this platform, even if the caller builds for another one.
    const otherPlatform = { GOOS: undefined, GOARCH: undefined };
    const result = await run(go, ['install', `${GO_PACKAGE}@${OPA_VERSION}`], {
      timeoutMs: GO_TIMEOUT_MS,
      cwd: folder,
      env: {
        ...process.env,
        ...otherPlatform,
        GOBIN: folder,
        // The remains of an interrupted build are deleted with the folder.
        GOTMPDIR: folder,
        CGO_ENABLED: '0',
      },
    });
    if (!result.ok) {
      return { reason: `${result.failure}\n${lastLines(result.output)}`.trimEnd() };
    }
    await rename(join(folder, executableName('opa')), cachedBinary());
    return usable(cachedBinary(), 'go install');
  });
}

async function fromRelease(): Promise<ObtainedOpa> {
  const platform = `${process.platform}-${process.arch}`;
  const asset = RELEASE_ASSETS[platform];
  if (asset === undefined) return { reason: `no checksum is pinned for ${platform}` };

  const url = `${RELEASES}/${OPA_VERSION}/${asset.name}`;
  await downloadChecked(url, asset.sha256, cachedBinary());
  return usable(cachedBinary(), 'official release');
}

/** Keeps a downloaded file only if its checksum matches. */
export async function downloadChecked(
  url: string,
  sha256: string,
  target: string,
  timeoutMs = DOWNLOAD_TIMEOUT_MS,
): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  await inTempFolder(async folder => {
    const file = join(folder, 'download');
    const hash = createHash('sha256');
    try {
      const response = await fetch(url, { signal });
      if (!response.ok || response.body === null) {
        throw new Error(`the server answered ${response.status}`);
      }
      const hashed = async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      };
      await pipeline(response.body, hashed, createWriteStream(file), { signal });
    } catch (error) {
      throw new Error(`downloading ${url} failed: ${describeError(error)}`, {
        cause: error,
      });
    }
    const actual = hash.digest('hex');
    if (actual !== sha256) {
      throw new Error(
        `${url} has sha256 ${actual}, but ${sha256} is pinned; it was deleted`,
      );
    }
    await chmod(file, 0o755);
    await rename(file, target);
  }, dirname(target));
}

/** Creates binaries in a separate folder and renames them, so that parallel runs do not conflict. */
async function inTempFolder<T>(
  work: (folder: string) => Promise<T>,
  parent = cacheFolder(),
): Promise<T> {
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'tmp-'));
  try {
    return await work(folder);
  } finally {
    // Compilers of a killed build may still write for a moment, hence the retries.
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const local = process.platform === 'win32' ? LOCALAPPDATA : undefined;
  const base = XDG_CACHE_HOME || local || join(homedir(), '.cache');
  return resolve(base, 'backstage-policy-router', 'opa', OPA_VERSION);
}

function cachedBinary(): string {
  return join(cacheFolder(), executableName('opa'));
}

function executableName(name: string): string {
  return process.platform === 'win32' ? `${name}.exe` : name;
}

async function findOnPath(name: string): Promise<string[]> {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const files = folders.map(folder => resolve(folder, executableName(name)));
  const found: string[] = [];
  for (const file of new Set(files)) {
    if (await isExecutable(file)) found.push(file);
  }
  return found;
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function usable(path: string, way: string): Promise<ObtainedOpa> {
  const probe = await probeOpa(path);
  if (probe.version === undefined) return { reason: `${path}: ${probe.reason}` };
  return { path, from: `${way} (${probe.version})` };
}

type Probe = { version: string } | { version?: undefined; reason: string };

async function probeOpa(path: string): Promise<Probe> {
  const result = await run(path, ['version'], { timeoutMs: VERSION_TIMEOUT_MS });
  if (!result.ok) {
    const output = lastLines(result.output);
    return { reason: `\`opa version\` failed: ${result.failure} ${output}`.trim() };
  }
  const version = /^Version:\s*v?(\d+\.\d+\.\d+)/m.exec(result.output)?.[1];
  return version === undefined ? { reason: '`opa version` shows none' } : { version };
}

function isAtLeast(version: string, oldest: string): boolean {
  const wanted = oldest.split('.').map(Number);
  const parts = version.split('.').map(Number);
  const differing = wanted.findIndex((part, index) => part !== parts[index]);
  return differing === -1 || (parts[differing] ?? 0) > (wanted[differing] ?? 0);
}

type RunResult =
  | { ok: true; output: string; failure?: undefined }
  | { ok: false; output: string; failure: string };

function run(
  file: string,
  args: string[],
  options: { timeoutMs: number; cwd?: string; env?: NodeJS.ProcessEnv },
): Promise<RunResult> {
  const { timeoutMs, ...rest } = options;
  const limits = {
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT,
  } as const;
  return new Promise(resolveRun => {
    execFile(file, args, { ...rest, ...limits }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      if (error === null) return resolveRun({ ok: true, output });
      const failure = error.killed
        ? `no end after ${timeoutMs / 1000} s`
        : endOf(error);
      return resolveRun({ ok: false, output, failure });
    });
  });
}

/** execFile's message repeats the whole output, so it is used only if there is no exit code. */
function endOf(error: ExecFileException): string {
  if (error.signal) return `ended by ${error.signal}`;
  return typeof error.code === 'number' ? `exit code ${error.code}` : error.message;
}

function lastLines(text: string): string {
  return text.trimEnd().split(/\r?\n/).slice(-OUTPUT_LINES).join('\n');
}

/** fetch hides the reason of a failure in `cause`, so the whole chain is shown. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  const text = error.message || code || error.name;
  const known = error.cause === undefined || text.includes(describeError(error.cause));
  return known ? text : `${text} (${describeError(error.cause)})`;
}
