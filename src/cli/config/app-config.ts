import { resolve } from 'node:path';
import { ConfigReader, type Config } from '@backstage/config';
import type * as ConfigLoader from '@backstage/config-loader';
import { CONFIG_PATH } from '../../config/types';
import { closest } from '../../lib/closest';
import { isJsonObject } from '../../lib/json-object';
import { CliError } from '../exit-code';
import type { Io } from '../io';
import type { ConfigFiles } from './config-files';
import { readingProblems, UnreadableConfig } from './reading-problems';
import { keepSecret } from './taken-values';

/** The config of a backend, as Backstage's CLI reads it. */
export interface AppConfig {
  readonly config: Config;
  /** The value at `permission.policyRouter`. */
  readonly policyRouter: unknown;
  readonly files: ConfigFiles;
}

/**
 * Reads the given files, or `app-config.yaml` and `app-config.local.yaml` at the root of the
 * repository; in both cases with `APP_CONFIG_…` of the environment. What is taken from the environment
 * is added to the values that are never printed.
 *
 * @param paths - relative to the working directory; later ones win.
 * @throws UnreadableConfig with each place where a file is not YAML.
 * @throws CliError if they cannot be read, or do not configure the router.
 */
export async function readAppConfig(
  paths: readonly string[],
  io: Pick<Io, 'env' | 'secrets'>,
): Promise<AppConfig> {
  const files = await readFiles(paths, io);
  keepSecret(files, io);
  const config = ConfigReader.fromConfigs([...files]);
  const policyRouter: unknown = config.getOptional(CONFIG_PATH);
  if (policyRouter === undefined) {
    const read = files.flatMap(({ path }) => path ?? []);
    throw new CliError(
      `${CONFIG_PATH} is not set. Read: ${read.length > 0 ? read.join(', ') : 'no file'}. ` +
        'Name the files that the backend is started with: --config app-config.yaml --config app-config.production.yaml' +
        `${likelySlip(config)}. If the router is not configured yet: policy-router init least-privilege`,
    );
  }
  return { config, policyRouter, files };
}

/** A key in another letter case, or with another end, is the likely mistake. */
function likelySlip(config: Config): string {
  const whole = config.getOptional();
  const section = keysOf(whole).find(key => key === 'permissions');
  if (section !== undefined)
    return `. There is a key '${section}'; it must be 'permission'`;
  const inside = isJsonObject(whole) ? keysOf(whole.permission) : [];
  const likely = closest('policyRouter', inside);
  return likely === undefined
    ? ''
    : `. There is a key 'permission.${likely}'; it must be 'policyRouter'`;
}

const keysOf = (value: unknown): string[] =>
  isJsonObject(value) ? Object.keys(value) : [];

async function readFiles(
  paths: readonly string[],
  { env }: Pick<Io, 'env'>,
): Promise<readonly ConfigLoader.ConfigSourceData[]> {
  const { ConfigSources } = loader();
  const abort = new AbortController();
  let named = '';
  try {
    const source = ConfigSources.default({
      argv: paths.flatMap(path => ['--config', isUrl(path) ? path : resolve(path)]),
      env,
      substitutionFunc: async name => env[name]?.trim(),
      watch: false,
    });
    named = (source as { toString(): string }).toString();
    for await (const { configs } of source.readConfigData({ signal: abort.signal })) {
      return configs;
    }
    return [];
  } catch (error) {
    throw new UnreadableConfig(readingProblems(error as Error, named));
  } finally {
    abort.abort();
  }
}

/** Backstage's loader says what it thinks of URLs; as a path they would only be not found. */
const isUrl = (path: string): boolean => /^https?:\/\//i.test(path);

/** Part of every backend; loaded here, so that the commands that need no config work without it. */
function loader(): typeof ConfigLoader {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would fail at start
    return require('@backstage/config-loader') as typeof ConfigLoader;
  } catch {
    throw new CliError(
      '@backstage/config-loader cannot be found. Run the command where the backend is installed, ' +
        'such as: yarn workspace backend policy-router',
    );
  }
}
