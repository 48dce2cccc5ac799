import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ATTEMPTS, run } from './commands';

/** The cloud SDKs have a new version every day, which a mirror of the registry may not have yet. */
const FLOATING = /^@(aws-sdk|aws-crypto|smithy|azure|google-cloud)\//;
/** How many packages may have a version that the registry lacks. */
const MAX_MISSING = 20;

const MISSING = [
  /No matching version found for (@?[^@\s]+)@/, // npm
  /(@?[^@\s]+)@npm:[^\s]+: No candidates found/, // yarn
];

/** The versions of the cloud SDKs that this project has in its lock file. */
export async function cloudPins(): Promise<Record<string, string>> {
  const path = join(__dirname, '../../package-lock.json');
  const { packages } = JSON.parse(await readFile(path, 'utf8')) as {
    packages: Record<string, { version: string }>;
  };
  const PREFIX = 'node_modules/';
  return Object.fromEntries(
    Object.entries(packages)
      .map(([folder, { version }]) => [folder.slice(PREFIX.length), version] as const)
      .filter(([name]) => FLOATING.test(name) && !name.includes(PREFIX)),
  );
}

/**
 * Installs, although the registry fails for a moment, or lacks a version that some package asks for:
 * that package is then used in the version that the registry calls its latest.
 *
 * @param pins - versions by name; those of missing packages are added to it.
 * @param install - with these pins; throws what npm or yarn printed.
 */
export async function installWith(
  pins: Record<string, string>,
  install: () => Promise<unknown>,
): Promise<void> {
  let failures = 0;
  let missing = 0;
  for (;;) {
    try {
      await install();
      return;
    } catch (error) {
      const name = missingPackage(String(error));
      if (name === undefined) {
        failures += 1;
        if (failures === ATTEMPTS) throw error;
        continue;
      }
      missing += 1;
      if (missing > MAX_MISSING) throw error;
      pins[name] = (await run('npm', ['view', name, 'version'], {})).trim();
      process.stderr.write(
        `the registry lacks a version of ${name}: ${pins[name]} instead\n`,
      );
    }
  }
}

const missingPackage = (printed: string): string | undefined =>
  MISSING.map(each => each.exec(printed)?.[1]).find(name => name !== undefined);
