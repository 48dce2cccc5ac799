import { type ChildProcess, spawn } from 'node:child_process';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const HOST = '127.0.0.1';
const BIND_TRIES = 3;
/** The limit for an OPA that never starts; on a busy machine a start takes many seconds. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const HEALTH_TIMEOUT_MS = 5_000;
const STOP_GRACE_MS = 3_000;
const LOG_TAIL_CHARS = 16 * 1024;

export interface OpaServerOptions {
  /** Path of the OPA binary, see `obtainOpa`. */
  binary: string;
  /** Policy and data files, folders or bundles to load. */
  policies?: readonly string[];
  /** Further flags of `opa run`. */
  args?: readonly string[];
  /** A fixed port, to restart a server at the same address; by default a free one. */
  port?: number;
}

export interface OpaServer {
  url: string;
  port: number;
  pid: number;
  process: ChildProcess;
  /** Stops OPA and waits until it has exited; safe to call again. */
  stop(): Promise<void>;
  /** Sends a signal without waiting, for example to freeze or crash OPA. */
  kill(signal: NodeJS.Signals): void;
}

class BindError extends Error {}

/** Starts `opa run --server` and waits until it answers. */
export async function startOpa(options: OpaServerOptions): Promise<OpaServer> {
  if (options.port) return startOn(options.port, options);

  // OPA does not report the port that it bound for ":0", so one is chosen for it; another process
  // can take that port in between, hence the retries.
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(await freePort(), options);
    } catch (error) {
      if (!(error instanceof BindError) || attempt === BIND_TRIES) throw error;
    }
  }
}

async function startOn(port: number, options: OpaServerOptions): Promise<OpaServer> {
  const args = options.args ?? [];
  const child = spawn(
    options.binary,
    [
      ...['run', '--server', '--addr', `${HOST}:${port}`],
      // Replaces the deprecated --disable-telemetry.
      '--skip-version-check',
      ...['--log-level', 'info', '--log-format', 'json'],
      ...args,
      ...(options.policies ?? []),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );

  let log = '';
  const collect = (chunk: string) => {
    log = (log + chunk).slice(-LOG_TAIL_CHARS);
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);

  // A test run that ends early must not leave OPA behind.
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);

  let ended: string | undefined;
  const exit = new Promise<void>(resolve => {
    // "close" comes after the last output, so the log can say why OPA ended.
    child.once('close', (code, signal) => {
      ended ??= signal ? `was ended by ${signal}` : `exited with code ${code}`;
      process.off('exit', killWithUs);
      resolve();
    });
    child.once('error', error => {
      ended ??= `could not be started: ${error.message}`;
    });
  });

  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
    await exit;
    clearTimeout(timer);
  };

  // A server left over on a fixed port could answer in place of this OPA, so its own log
  // must show the request too, unless the caller made it log less.
  const quiet = args.some(arg => /^(-l|--log-level)/.test(arg));
  const sawRequest = () => quiet || /req_path\W+health|to an HTTPS server/.test(log);

  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (ended === undefined && Date.now() < deadline) {
    if ((await answers(port)) && sawRequest() && child.pid !== undefined) {
      return {
        url: `http://${HOST}:${port}`,
        port,
        pid: child.pid,
        process: child,
        stop,
        kill: signal => void child.kill(signal),
      };
    }
    await delay(POLL_MS);
  }

  const why = ended ?? `was not ready within ${READY_TIMEOUT_MS / 1000} s`;
  await stop();
  const message = `OPA on port ${port} ${why}\n${log.trimEnd()}`;
  throw /listen tcp .*bind: /.test(log) ? new BindError(message) : new Error(message);
}

/**
 * With authorization on, OPA may refuse /health, and with TLS on it refuses plain HTTP with
 * 400; both show that it is up.
 */
function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const request = get(
      // No agent, because a kept connection would outlive this OPA and be used for the next one.
      { host: HOST, port, path: '/health', agent: false, timeout: HEALTH_TIMEOUT_MS },
      response => {
        response.resume();
        resolve([200, 400, 401, 403].includes(response.statusCode ?? 0));
      },
    );
    request.once('timeout', () => request.destroy(new Error('no answer')));
    request.once('error', () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
