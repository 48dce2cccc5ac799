import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gtr, lt, satisfies } from 'semver';

/** The oldest release of Backstage that runs the router: test/releases builds a backend of it. */
export const OLDEST_RELEASE = '1.43';

/**
 * Since these versions, modules register in a form (`module-v1.1`) that no older
 * `@backstage/backend-app-api` can read.
 */
const NEW_MODULES = { pluginApi: '1.7.0', appApi: '1.5.0', release: '1.48' };

const PLUGIN_API = '@backstage/backend-plugin-api';
const APP_API = '@backstage/backend-app-api';

/** Of the packages that the router finds; undefined where it cannot be read, as in a bundle. */
export interface Installed {
  /** The peer dependencies of this package, with their ranges. */
  readonly peers: Readonly<Record<string, string>>;
  /** The version of a package, as this package finds it. */
  readonly version: (name: string) => string | undefined;
  /** The version of a package, as the `backend-defaults` of the backend finds it. */
  readonly versionInBackend: (name: string) => string | undefined;
}

/**
 * @throws Error that names the release of Backstage that is needed, if this backend is older.
 *   Backstage's own message would be `Invalid registration type 'module-v1.1'`, or none.
 */
export function assertSupportedRelease(installed: Installed = fromDisk()): void {
  const problem = tooOld(installed) ?? newerCopy(installed);
  if (problem !== undefined) throw new Error(problem);
}

function tooOld({ peers, version }: Installed): string | undefined {
  const old = Object.entries(peers).flatMap(([name, range]) => {
    const found = version(name);
    return found !== undefined && isBelow(found, range)
      ? [`${name} ${found} (needed: ${range})`]
      : [];
  });
  if (old.length === 0) return undefined;
  return (
    `The policy router needs Backstage ${OLDEST_RELEASE} or later. This backend has ` +
    `${old.join(', ')}. Upgrade it: yarn backstage-cli versions:bump`
  );
}

function newerCopy({ version, versionInBackend }: Installed): string | undefined {
  const own = version(PLUGIN_API);
  const host = versionInBackend(APP_API);
  if (own === undefined || host === undefined) return undefined;
  if (lt(own, NEW_MODULES.pluginApi) || !lt(host, NEW_MODULES.appApi)) return undefined;
  return (
    `The policy router found ${PLUGIN_API} ${own}. This backend is older than Backstage ` +
    `${NEW_MODULES.release} (${APP_API} ${host}) and cannot load modules made with it. ` +
    `Remove that copy, so that the router uses the one of the backend ` +
    `(yarn why ${PLUGIN_API}), or upgrade Backstage`
  );
}

/** Older than all that the range allows. What is newer is warned of at install. */
const isBelow = (version: string, range: string): boolean =>
  !satisfies(version, range, { includePrerelease: true }) && !gtr(version, range);

function fromDisk(): Installed {
  const here = createRequire(__filename);
  const own = json(here, '../package.json');
  return {
    peers: (own?.peerDependencies ?? {}) as Record<string, string>,
    version: name => versionIn(json(here, `${name}/package.json`)),
    versionInBackend: name => {
      const backend = createRequire(require.main?.filename ?? join(process.cwd(), 'x'));
      const defaults = resolve(backend, '@backstage/backend-defaults/package.json');
      return defaults === undefined
        ? undefined
        : versionIn(json(createRequire(defaults), `${name}/package.json`));
    },
  };
}

function resolve(from: NodeJS.Require, name: string): string | undefined {
  try {
    return from.resolve(name);
  } catch {
    return undefined;
  }
}

function json(from: NodeJS.Require, name: string): Record<string, unknown> | undefined {
  const path = resolve(from, name);
  return path === undefined ? undefined : (from(path) as Record<string, unknown>);
}

const versionIn = (json: Record<string, unknown> | undefined): string | undefined =>
  typeof json?.version === 'string' ? json.version : undefined;
