/** An OPA of our own, for the time of a command. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'undici';
import { CliError, EXIT } from '../exit-code';

/** In milliseconds; on a busy machine a start takes many seconds. */
const READY_TIMEOUT = 60_000;
const POLL = 25;
/** Until it is ended by force. */
const GRACE = 3000;
/** Of what OPA prints, in characters. */
const MAX_LOG = 4000;

export interface OpaProcess {
  /** As `baseUrl` takes it. */
  readonly url: string;
  /** Ends it; resolves once it has ended. */
  stop(): Promise<void>;
}

/**
 * Starts `opa run --server` on a socket that nobody else can reach.
 *
 * @param binary - of OPA; a name is looked up in the PATH.
 * @param policies - files and folders of Rego and data.
 * @throws CliError that says why it did not start, such as the errors of the Rego.
 */
export async function startOpa(
  binary: string,
  policies: readonly string[],
): Promise<OpaProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'policy-router-'));
  const socket = join(folder, 'opa.sock');
  const flags = [
    '--addr',
    `unix://${socket}`,
    '--skip-version-check',
    '--log-level',
    'error',
  ];
  const child = spawn(binary, ['run', '--server', ...flags, ...policies], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const running = watch(child);
  // A command that is interrupted must not leave it behind.
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE);
    await running.ended;
    clearTimeout(timer);
    process.off('exit', killWithUs);
    rmSync(folder, { recursive: true, force: true });
  };
  const until = performance.now() + READY_TIMEOUT;
  while (!running.hasEnded() && performance.now() < until) {
    if (await isReady(socket)) return { url: `unix:${socket}`, stop };
    await delay(POLL);
  }
  await stop();
  if (running.isMissing()) {
    throw new CliError(
      `there is no program '${binary}' to start an OPA with. Install OPA, or set OPA_BIN to the path of its binary; or name a running OPA with --opa <url>`,
      EXIT.unreachable,
    );
  }
  throw new CliError(
    `OPA (${binary}) did not start: ${running.log() || 'it printed nothing'}`,
    EXIT.unreachable,
  );
}

interface Running {
  readonly ended: Promise<void>;
  hasEnded(): boolean;
  /** Whether there is no such binary. */
  isMissing(): boolean;
  log(): string;
}

function watch(child: ChildProcess): Running {
  let log = '';
  let hasEnded = false;
  let isMissing = false;
  const collect = (chunk: Buffer): void => {
    log = (log + chunk.toString()).slice(-MAX_LOG);
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const ended = new Promise<void>(resolve => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      isMissing = error.code === 'ENOENT';
      log += error.message;
      hasEnded = true;
      resolve();
    });
    child.once('close', () => {
      hasEnded = true;
      resolve();
    });
  });
  return {
    ended,
    hasEnded: () => hasEnded,
    isMissing: () => isMissing,
    log: () => log.trim(),
  };
}

async function isReady(socketPath: string): Promise<boolean> {
  const client = new Client('http://localhost', { socketPath });
  try {
    const { statusCode, body } = await client.request({
      path: '/health',
      method: 'GET',
    });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}
