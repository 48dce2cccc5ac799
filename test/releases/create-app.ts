import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { run, runPatiently } from './commands';

const CACHE = join(__dirname, '../../.cache/create-app');

/** What of a new app's backend the router's questions need; the rest is much to install. */
const NEEDED =
  /^@backstage\/(backend-defaults|config|plugin-(auth-backend(-module-guest-provider)?|auth-node|catalog-backend|permission-(backend|common|node)))$/;

/**
 * The dependencies of the backend in create-app's template, with the ranges that create-app writes
 * into it: `^` and the version of its release.
 *
 * @param version - of `@backstage/create-app`.
 * @param whole - all that the template has from Backstage, its CLI too; else what is needed.
 */
export async function backendDependencies(
  version: string,
  { env = process.env, whole = false } = {},
): Promise<Record<string, string>> {
  const folder = join(CACHE, version);
  await mkdir(folder, { recursive: true });
  const pack = ['pack', '--silent', `@backstage/create-app@${version}`];
  const packed = await runPatiently('npm', pack, { cwd: folder, env });
  await run('tar', ['-xzf', packed.trim()], { cwd: folder, env });
  const template = await readFile(
    join(folder, 'package/templates/default-app/packages/backend/package.json.hbs'),
    'utf8',
  );
  const { packageVersions } = createRequire(__filename)(
    join(folder, 'package/dist/lib/versions.cjs.js'),
  ) as { packageVersions: Record<string, string> };
  const filled = template.replace(/\{\{version '([^']+)'\}\}/g, (_, name: string) =>
    String(packageVersions[name]),
  );
  const { dependencies, devDependencies } = JSON.parse(filled) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  const all = Object.entries({ ...dependencies, ...devDependencies });
  return Object.fromEntries(
    all.filter(([name]) =>
      whole ? name.startsWith('@backstage/') : NEEDED.test(name),
    ),
  );
}
