import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

const YARN = '4.13.0';
/** Enough for an install on a busy machine, in milliseconds. */
const LIMIT = 600_000;
/** A registry that is slow for a moment must not fail a run. */
export const ATTEMPTS = 3;

/**
 * Runs a command to its end.
 *
 * @returns what it printed.
 * @throws Error with the last of what it printed, if it fails or takes more than ten minutes.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<string> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = gather(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT);
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => clearTimeout(timer));
  if (code === 0) return output();
  const shown = [command, ...args].join(' ');
  throw new Error(`'${shown}' ended with ${String(code)}:\n${output().slice(-4000)}`);
}

/** For commands that ask a registry, which may fail for a moment. */
export async function runPatiently(
  ...[command, args, options]: Parameters<typeof run>
): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run(command, args, options);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

/** @returns a function that returns what the process has printed so far. */
export function gather(child: ChildProcess): () => string {
  let printed = '';
  const add = (chunk: Buffer) => {
    printed += chunk.toString();
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  return () => printed;
}

/**
 * The environment of a user's shell: this Node.js, its npm, and the yarn that new apps use.
 *
 * @param folder - an empty folder of its own.
 */
export async function shell(folder: string): Promise<NodeJS.ProcessEnv> {
  await mkdir(join(folder, 'bin'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const tools = [`@yarnpkg/cli-dist@${YARN}`];
  await runPatiently('npm', ['install', '--no-audit', '--no-fund', ...tools], {
    cwd: folder,
  });
  const yarn = join(folder, 'node_modules/@yarnpkg/cli-dist/bin/yarn.js');
  await writeFile(join(folder, 'bin/yarn'), `#!/bin/sh\nexec node '${yarn}' "$@"\n`, {
    mode: 0o755,
  });
  // What jest and npm set for their own processes must not reach the app.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|JEST_|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$)/i.test(name),
  );
  const [registry, certificates] = await Promise.all(
    ['registry', 'cafile'].map(async key => {
      const value = (await run('npm', ['config', 'get', key], { cwd: folder })).trim();
      return value === 'null' ? undefined : value;
    }),
  );
  return {
    ...Object.fromEntries(inherited),
    // Yarn does not read npm's settings.
    ...(registry ? { YARN_NPM_REGISTRY_SERVER: registry.replace(/\/$/, '') } : {}),
    ...(certificates ? { YARN_HTTPS_CA_FILE_PATH: certificates } : {}),
    PATH: [join(folder, 'bin'), process.env.PATH].join(delimiter),
    YARN_ENABLE_TELEMETRY: '0',
    YARN_ENABLE_IMMUTABLE_INSTALLS: '0',
    // Its own retries end it with "onCancel handler was attached after the promise settled".
    YARN_HTTP_RETRY: '0',
    YARN_NETWORK_CONCURRENCY: '16',
  };
}
