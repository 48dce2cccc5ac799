import { execFileSync, spawn, type SpawnOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, chownSync, constants, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { knex } from 'knex';
import { temporaryFolder } from './backend';

const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 5_000;
const LOG_TAIL_CHARS = 16 * 1024;
const DEBIAN_FOLDER = '/usr/lib/postgresql';

/** The plugins of the test backend that use a database. */
const PLUGINS = ['auth', 'catalog', 'permission', 'policy-router'];

type Connection = string | { host: string; user: string };

export interface PostgresDatabase {
  /** The value of `backend.database`. */
  readonly config: object;
  /** Drops the databases, and stops the server if it is ours. */
  stop(): Promise<void>;
}

/** An existing server; by default a temporary one is started. */
const givenUrl = process.env.POSTGRES_URL;
const binaries = givenUrl === undefined ? findBinaries() : undefined;
/** Why there is no PostgreSQL; undefined if there is one. */
export const noPostgres =
  givenUrl === undefined && binaries === undefined
    ? `there is no POSTGRES_URL, and no initdb and postgres on the PATH or in ${DEBIAN_FOLDER}`
    : undefined;

export async function startPostgres(): Promise<PostgresDatabase> {
  const { connection, stop } = await reachServer();
  // A unique prefix, so that parallel runs do not conflict.
  const prefix = `policy_router_${randomBytes(6).toString('hex')}_`;
  const forEach = async (statement: string): Promise<void> => {
    const admin = knex({ client: 'pg', connection });
    try {
      for (const plugin of PLUGINS) await admin.raw(statement, [`${prefix}${plugin}`]);
    } finally {
      await admin.destroy();
    }
  };
  try {
    await forEach('create database ??');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    // If Backstage created them, it would keep a connection that outlives the backend.
    config: { client: 'pg', connection, prefix, ensureExists: false },
    stop: () => forEach('drop database ??').finally(stop),
  };
}

async function reachServer(): Promise<Server> {
  if (givenUrl !== undefined) return { connection: givenUrl, stop: async () => {} };
  if (binaries === undefined)
    throw new Error(`CI must test PostgreSQL, but ${noPostgres}`);
  return startServer(binaries);
}

/** The folder of the server's tools: from the PATH, otherwise Debian's newest. */
function findBinaries(): string | undefined {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const ofDebian = foldersIn(DEBIAN_FOLDER)
    .sort((one, other) => Number(other) - Number(one))
    .map(version => join(DEBIAN_FOLDER, version, 'bin'));
  return [...onPath, ...ofDebian].find(folder =>
    ['initdb', 'postgres'].every(name => isExecutable(join(folder, name))),
  );
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** PostgreSQL refuses to run as root, so root runs it as another user. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = ['-u', '-g'].map(flag => {
        const options = { encoding: 'utf8', stdio: 'pipe' } as const;
        return Number(execFileSync('id', [flag, name], options));
      });
      return { uid: uid!, gid: gid! };
    } catch {
      // No such user here.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is no other user for it');
}

interface Server {
  readonly connection: Connection;
  readonly stop: () => Promise<void>;
}

/** A separate cluster in a temporary folder that listens only on a unix socket in it. */
async function startServer(bin: string): Promise<Server> {
  const folder = await temporaryFolder();
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  try {
    const account = unprivileged();
    if (account.uid !== undefined && account.gid !== undefined) {
      chownSync(folder, account.uid, account.gid);
    }
    const options = { ...account, cwd: folder, env: { ...process.env, LC_ALL: 'C' } };
    const data = join(folder, 'data');
    const initdb = ['--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
    await run(
      join(bin, 'initdb'),
      [...initdb, '--username=postgres', `--pgdata=${data}`],
      options,
    );
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${folder}`,
      ...['fsync=off', 'full_page_writes=off', 'synchronous_commit=off'],
    ];
    const stopServer = await serve(
      join(bin, 'postgres'),
      ['-D', data, ...settings.flatMap(setting => ['-c', setting])],
      options,
    );
    return {
      connection: { host: folder, user: 'postgres' },
      stop: async () => {
        await stopServer();
        await removeFolder();
      },
    };
  } catch (error) {
    await removeFolder();
    throw error;
  }
}

/** Starts a program and keeps the end of its output. */
function start(file: string, args: readonly string[], options: SpawnOptions) {
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      log = (log + chunk).slice(-LOG_TAIL_CHARS);
    });
  }
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message));
    child.once('close', (code, signal) =>
      resolve(signal ? `ended by ${signal}` : `exit code ${code}`),
    );
  });
  return { child, ended, log: () => log };
}

async function run(file: string, args: readonly string[], options: SpawnOptions) {
  const { ended, log } = start(file, args, { ...options, timeout: START_TIMEOUT_MS });
  const how = await ended;
  if (how !== 'exit code 0') throw new Error(`${file}: ${how}\n${log()}`);
}

/** Waits until PostgreSQL reports that it is ready; returns a function that stops it. */
async function serve(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<() => Promise<void>> {
  const { child, ended, log } = start(file, args, options);
  // "Immediate shutdown": a test run that ends early must not leave a server behind.
  const killWithUs = () => child.kill('SIGQUIT');
  process.once('exit', killWithUs);
  const stop = async () => {
    // "Fast shutdown" ends sessions too.
    child.kill('SIGINT');
    const timer = setTimeout(killWithUs, STOP_GRACE_MS);
    await ended;
    clearTimeout(timer);
    process.off('exit', killWithUs);
  };

  const ready = new Promise<void>(resolve => {
    child.stderr?.on('data', () => {
      if (log().includes('ready to accept connections')) resolve();
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>(resolve => {
    timer = setTimeout(() => resolve('not ready in time'), START_TIMEOUT_MS);
  });
  const problem = await Promise.race([ready, ended, late]);
  clearTimeout(timer);
  if (problem === undefined) return stop;
  await stop();
  throw new Error(`${file}: ${problem}\n${log()}`);
}
