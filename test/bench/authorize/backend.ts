import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Asked, Told } from './messages';
import type { PolicyName } from './policies';

export interface BackendOptions {
  readonly id: string;
  readonly policy: PolicyName;
  /** The value of `permission`. */
  readonly permission: object;
  /** What the bare policy asks. */
  readonly opaUrl: string | undefined;
  /** Where its config and its log are written. */
  readonly folder: string;
  /** The compiled (or TypeScript) script of the process. */
  readonly script: string;
}

/** Characters of the log that an error quotes. */
const LOG_TAIL = 2000;

const running = new Set<ChildProcess>();

// A benchmark that ends early must not leave them behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A backend in a process of its own. */
export class Backend {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    /** A token of the user. */
    readonly token: string,
    /** A token of a plugin, on behalf of the user. */
    readonly pluginToken: string,
    /** The file that it logs to. */
    readonly log: string,
  ) {}

  /** @throws Error if it does not start, with the reason. */
  static async start(options: BackendOptions): Promise<Backend> {
    const { id, policy, folder, script } = options;
    const config = join(folder, `${id}.yaml`);
    const log = join(folder, `${id}.log`);
    await writeFile(config, stringify(configOf(options)));
    const output = openSync(log, 'w');
    const child = spawn(
      process.execPath,
      [
        ...(script.endsWith('.ts') ? ['--require', 'tsx/cjs'] : []),
        ...[script, policy, '--config', config],
      ],
      {
        // Backstage logs JSON in production; what the environment sets must not matter.
        env: { PATH: process.env.PATH, NODE_ENV: 'production' },
        stdio: ['ignore', output, output, 'ipc'],
      },
    );
    closeSync(output);
    running.add(child);
    child.once('exit', () => running.delete(child));
    const told = await nextOf(child).catch(async (error: Error) => {
      const said = (await readFile(log, 'utf8')).slice(-LOG_TAIL);
      throw new Error(`${error.message}:\n${said}`);
    });
    if (told.is !== 'listening') {
      child.kill('SIGKILL');
      throw new Error(told.is === 'failed' ? told.why : `unexpected: ${told.is}`);
    }
    const token = await signIn(told.url);
    return new Backend(child, told.url, token, await pluginToken(told.url, token), log);
  }

  /** Microseconds of CPU time since its start. */
  async cpu(): Promise<number> {
    const told = await this.ask('cpu');
    return told.is === 'cpu' ? told.microseconds : NaN;
  }

  /** Bytes in use after a garbage collection; what the process keeps for later is not counted. */
  async memory(): Promise<number> {
    const told = await this.ask('memory');
    return told.is === 'memory' ? told.bytes : NaN;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  private ask(what: Asked): Promise<Told> {
    const told = nextOf(this.child);
    this.child.send(what);
    return told;
  }
}

/** The next message of the process. */
async function nextOf(child: ChildProcess): Promise<Told> {
  const ended = new AbortController();
  const exit = once(child, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`the backend has ended with code ${code}`);
  });
  const message = once(child, 'message', { signal: ended.signal });
  exit.catch(() => {});
  message.catch(() => {});
  try {
    const [told] = (await Promise.race([message, exit])) as [Told];
    return told;
  } finally {
    ended.abort();
  }
}

const configOf = ({ permission, opaUrl }: BackendOptions): object => ({
  app: { baseUrl: 'http://127.0.0.1:3000' },
  backend: {
    baseUrl: 'http://127.0.0.1:7007',
    listen: { host: '127.0.0.1', port: 0 },
    database: { client: 'better-sqlite3', connection: ':memory:' },
  },
  auth: { providers: { bench: {} } },
  permission: { enabled: true, ...permission },
  ...(opaUrl === undefined ? {} : { bench: { opaUrl } }),
});

async function signIn(url: string): Promise<string> {
  const response = await fetch(`${url}/api/auth/bench/refresh?as=dana`, {
    method: 'POST',
  });
  const { backstageIdentity } = (await read(response)) as {
    backstageIdentity: { token: string };
  };
  return backstageIdentity.token;
}

async function pluginToken(url: string, token: string): Promise<string> {
  const response = await fetch(`${url}/api/bench/token`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return ((await read(response)) as { token: string }).token;
}

async function read(response: Response): Promise<unknown> {
  const text = await response.text();
  if (!response.ok)
    throw new Error(`HTTP ${response.status} of ${response.url}: ${text}`);
  return JSON.parse(text);
}
