import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cp,
  mkdir,
  readFile,
  readdir,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { satisfies } from 'semver';
import { parse, stringify } from 'yaml';
import { until } from '../support/until';
import { gather, run } from './commands';
import { backendDependencies } from './create-app';
import { cloudPins, installWith } from './install';
import { NEWEST, type Release } from './releases';

export const PACKAGE = 'backstage-plugin-permission-backend-module-policy-router';
const PROJECT = join(__dirname, '../..');

export type Manager = 'npm' | 'yarn';

/** A backend of one release, in a folder of its own. */
export interface Host {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly manager: Manager;
}

/**
 * Installs the packages of the release, as create-app names them, and then adds the router, as a
 * user does who has a lock file.
 *
 * @param tarball - the packed router.
 */
export async function installHost(
  release: Release,
  manager: Manager,
  { folder, env, tarball }: { folder: string; env: NodeJS.ProcessEnv; tarball: string },
): Promise<Host> {
  const say = (what: string) =>
    process.stderr.write(`Backstage ${release.name}, ${manager}: ${what}\n`);
  await cp(join(__dirname, 'host'), folder, { recursive: true });
  say('installing the backend');
  const { dependencies, pins } = await hostPackage(release, env);
  // Of what is not Backstage's, whatever the release.
  const others = await cloudPins();
  const write = (fields: object) =>
    writeFile(
      join(folder, 'package.json'),
      JSON.stringify({
        name: 'backend',
        version: '0.0.0',
        private: true,
        dependencies,
        ...fields,
      }),
    );
  const options = { cwd: folder, env };
  if (manager === 'npm') {
    const npm = (...args: string[]) =>
      run(
        'npm',
        ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...args],
        options,
      );
    const direct = Object.keys(dependencies);
    const indirect = Object.fromEntries(
      Object.entries(pins).filter(([name]) => !direct.includes(name)),
    );
    await installWith(others, async () => {
      await write({
        overrides: { ...indirect, ...others },
        dependencies: { ...dependencies, ...only(pins, direct) },
      });
      await npm();
    });
    say('adding the router');
    await installWith(others, async () => {
      await write({ overrides: others });
      await npm(tarball);
    });
  } else {
    const yarn = (...args: string[]) => run('yarn', args, options);
    await writeFile(join(folder, 'yarn.lock'), '');
    await writeFile(
      join(folder, '.yarnrc.yml'),
      'nodeLinker: node-modules\nenableScripts: false\nnpmMinimalAgeGate: 0\n',
    );
    await installWith(others, async () => {
      await write({ resolutions: { ...pins, ...others } });
      await yarn('install');
    });
    await lockRanges(folder, pins);
    say('adding the router');
    await installWith(others, async () => {
      await write({ resolutions: others });
      await yarn('add', `${PACKAGE}@file:${tarball}`);
    });
  }
  await useBuiltSqlite(folder);
  return { folder, env, manager };
}

/** The versions that make up a release; none for the newest. */
export async function pinsOf(release: string): Promise<Record<string, string>> {
  if (release === NEWEST) return {};
  const path = join(__dirname, 'pins', `${release}.json`);
  return JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
}

/**
 * What npm and yarn make of the pins of a release: each package in one version, whatever the ranges
 * say. Without pins, the newest of each.
 */
async function hostPackage(
  { name, createApp }: Release,
  env: NodeJS.ProcessEnv,
): Promise<{ dependencies: Record<string, string>; pins: Record<string, string> }> {
  const dependencies = await backendDependencies(createApp, { env });
  const entries = Object.entries(dependencies);
  if (name === NEWEST) {
    const newest = entries.map(([each, range]) => [each, range.replace('^', '>=')]);
    return {
      dependencies: Object.fromEntries(newest) as Record<string, string>,
      pins: {},
    };
  }
  const pins = await pinsOf(name);
  const pinned = entries.map(([each]) => [each, `^${pins[each]}`]);
  return { dependencies: Object.fromEntries(pinned) as Record<string, string>, pins };
}

/**
 * A lock file keeps a version for each range that somebody asks for. A resolution writes the
 * version in its place, so that without the resolution yarn would take the newest.
 */
async function lockRanges(folder: string, pins: Record<string, string>): Promise<void> {
  const path = join(folder, 'yarn.lock');
  const lock = parse(await readFile(path, 'utf8')) as Record<string, LockEntry>;
  const asked = new Map<string, Set<string>>();
  for (const { dependencies, peerDependencies } of Object.values(lock)) {
    for (const [name, range] of Object.entries({
      ...dependencies,
      ...peerDependencies,
    })) {
      asked.set(name, (asked.get(name) ?? new Set()).add(range.replace(/^npm:/, '')));
    }
  }
  const entries = Object.entries(lock).map(([key, entry]) => {
    const name = key.slice(0, key.lastIndexOf('@npm:'));
    const version = pins[name];
    if (version === undefined || !asked.has(name)) return [key, entry];
    const ranges = [...asked.get(name)!].filter(range => satisfies(version, range));
    return [ranges.map(range => `${name}@npm:${range}`).join(', '), entry];
  });
  await writeFile(path, stringify(Object.fromEntries(entries), { lineWidth: 0 }));
}

interface LockEntry {
  readonly dependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
}

const only = (pins: Record<string, string>, names: readonly string[]) =>
  Object.fromEntries(names.flatMap(name => (pins[name] ? [[name, pins[name]]] : [])));

/** The project's own build of the database's native part: to build it again takes minutes. */
export async function useBuiltSqlite(folder: string): Promise<void> {
  const isOld = Number(process.versions.node.split('.')[0]) < 22;
  const built = join(
    PROJECT,
    'node_modules',
    isOld ? 'better-sqlite3' : 'better-sqlite3-13',
  );
  const installed = join(folder, 'node_modules/better-sqlite3');
  await rm(installed, { recursive: true, force: true });
  await symlink(built, installed);
}

/** Each version of each copy that is installed, of the packages that the router imports. */
export async function copies(
  { folder }: Host,
  names: readonly string[],
): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const name of names) {
    const own = await realpath(
      createRequire(join(folder, 'node_modules', PACKAGE, 'package.json')).resolve(
        `${name}/package.json`,
      ),
    );
    found[name] = [await versionAt(own)];
  }
  for (const path of await packageFiles(join(folder, 'node_modules'))) {
    const name = names.find(each =>
      path.endsWith(`/node_modules/${each}/package.json`),
    );
    if (name === undefined) continue;
    const isFirst = path === join(folder, 'node_modules', name, 'package.json');
    if (!isFirst) found[name]!.push(await versionAt(path));
  }
  return found;
}

/** Of every package below a node_modules folder, nested ones too. */
async function packageFiles(modules: string): Promise<string[]> {
  const names = await readdir(modules).catch(() => []);
  const nested = await Promise.all(
    names.map(async name => {
      const folder = join(modules, name);
      if (name.startsWith('@')) return packageFiles(folder);
      if (name === 'better-sqlite3') return [];
      return [
        join(folder, 'package.json'),
        ...(await packageFiles(join(folder, 'node_modules'))),
      ];
    }),
  );
  return nested.flat();
}

async function versionAt(path: string): Promise<string> {
  return (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version;
}

export interface Running {
  readonly url: string;
  readonly output: () => string;
  /** What a guest sends: `Bearer …`. */
  guest(): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts the backend.
 *
 * @param ended - whether it is expected to end by itself, or to print an error.
 */
export async function startHost({ folder, env }: Host): Promise<Running> {
  const port = await freePort();
  const child = spawn(process.execPath, ['index.js'], {
    cwd: folder,
    env: { ...env, PORT: String(port), NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = gather(child);
  const ended = once(child, 'close');
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    output,
    async guest() {
      const answer = await fetch(`${url}/api/auth/guest/refresh`, { method: 'POST' });
      const { backstageIdentity } = (await answer.json()) as {
        backstageIdentity: { token: string };
      };
      return `Bearer ${backstageIdentity.token}`;
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
}

/** @throws Error with what it printed, if it does not become ready. */
export async function untilReady({ url, output }: Running): Promise<void> {
  const isReady = async () => {
    const answer = await fetch(`${url}/.backstage/health/v1/readiness`).catch(
      () => undefined,
    );
    return answer?.status === 200;
  };
  await until(isReady, 'the backend is ready').catch((error: Error) => {
    throw new Error(`${error.message}:\n${output().slice(-4000)}`);
  });
}

/** A backend cannot say which port it took, if it is told 0. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Packs the router as npm would publish it. */
export async function packRouter(
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const packed = await run('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: PROJECT,
    env,
  });
  return join(folder, packed.trim().split('\n').pop()!);
}

/** Puts a package of this project beside the router's own, as a bad install does. */
export async function nestCopy({ folder }: Host, name: string): Promise<void> {
  const target = join(folder, 'node_modules', PACKAGE, 'node_modules', name);
  await mkdir(dirname(target), { recursive: true });
  await cp(join(PROJECT, 'node_modules', name), target, { recursive: true });
}
