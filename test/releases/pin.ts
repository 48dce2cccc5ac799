/**
 * Writes which versions make up a release: `npx tsx test/releases/pin.ts 1.43`, or `new-app` for the
 * whole backend of the app that test/releases/walk.test.ts makes. They never change, so
 * test/releases/pins/ holds them. From create-app's template, each package in the oldest version
 * that satisfies all others, as on the day of the release.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gt, lt, minVersion, rsort } from 'semver';
import { runPatiently } from './commands';
import { backendDependencies } from './create-app';
import { chosenReleases, NEW_APP, NEWEST, RELEASES } from './releases';

const AT_ONCE = 6;

async function dependenciesOf(
  name: string,
  version: string,
): Promise<[string, string][]> {
  const view = ['view', `${name}@${version}`, 'dependencies', '--json'];
  const printed = await runPatiently('npm', view, {});
  const dependencies = JSON.parse(printed || '{}') as Record<string, string>;
  return Object.entries(dependencies).filter(([each]) =>
    each.startsWith('@backstage/'),
  );
}

/**
 * The version that a range begins with. If the registry does not have it, the one before: the one
 * after may need a newer release.
 */
async function oldest(name: string, range: string): Promise<string> {
  const known =
    published.get(name) ??
    runPatiently('npm', ['view', name, 'versions', '--json'], {});
  published.set(name, known);
  const versions = JSON.parse(await known) as string[];
  const least = minVersion(range)!.version;
  if (versions.includes(least)) return least;
  const [before] = rsort(
    versions.filter(each => lt(each, least) && !each.includes('-')),
  );
  if (before === undefined) throw new Error(`${name}: nothing at or before ${least}`);
  console.log(`${name} ${before}, because there is no ${least}`);
  return before;
}

const published = new Map<string, Promise<string>>();

async function pinsOf(
  createApp: string,
  whole: boolean,
): Promise<Record<string, string>> {
  const pins = new Map<string, string>();
  let open = Object.entries(await backendDependencies(createApp, { whole }));
  while (open.length > 0) {
    const raised = new Map<string, string>();
    for (const [name, range] of open) {
      const least = await oldest(name, range);
      const known = pins.get(name);
      if (known !== undefined && !gt(least, known)) continue;
      pins.set(name, least);
      raised.set(name, least);
    }
    open = [];
    const names = [...raised];
    for (let first = 0; first < names.length; first += AT_ONCE) {
      const found = await Promise.all(
        names.slice(first, first + AT_ONCE).map(each => dependenciesOf(...each)),
      );
      open.push(...found.flat());
    }
    console.log(`${pins.size} packages, ${open.length} ranges to look at`);
  }
  return Object.fromEntries([...pins].sort(([a], [b]) => a.localeCompare(b)));
}

async function write(name: string, createApp: string): Promise<void> {
  const path = join(__dirname, 'pins', `${name}.json`);
  const pins = await pinsOf(createApp, name === NEW_APP);
  await writeFile(path, `${JSON.stringify(pins, null, 2)}\n`);
  console.log(path);
}

async function main([names]: readonly string[]): Promise<void> {
  if (names === NEW_APP) return write(NEW_APP, RELEASES.at(-1)!.createApp);
  for (const { name, createApp } of chosenReleases(names)) {
    if (name !== NEWEST) await write(name, createApp);
  }
}

void main(process.argv.slice(2));
