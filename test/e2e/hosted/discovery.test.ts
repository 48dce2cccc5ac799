/** Feature discovery (`backend.packages`) finds the router, and also the modules it hosts. */
import { readFileSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { discoveryFeatureLoader } from '@backstage/backend-defaults';
import type { BackendFeature } from '@backstage/backend-plugin-api';
import { stringify } from 'yaml';
import { hostPolicy } from '../../../src/index';
import {
  authorize,
  basic,
  startBackend,
  temporaryFolder,
  type RunningBackend,
} from '../../support/backend';

const ROUTER = JSON.parse(readFileSync('package.json', 'utf8')) as {
  name: string;
  main: string;
};
const ALLOW_ALL = '@backstage/plugin-permission-backend-module-allow-all-policy';

/** An app with two dependencies: the router, from its sources, and allow-all. */
let host: string;
const started = process.argv[1]!;

beforeAll(async () => {
  host = await temporaryFolder();
  const modules = join(host, 'node_modules');
  const router = join(modules, ROUTER.name);
  await mkdir(router, { recursive: true });
  await mkdir(join(modules, '@backstage'));
  await symlink(resolve('node_modules', ALLOW_ALL), join(modules, ALLOW_ALL));
  await symlink(resolve('package.json'), join(router, 'package.json'));
  await mkdir(join(router, dirname(ROUTER.main)));
  await symlink(resolve('src/index.ts'), join(router, ROUTER.main));
  await writeFile(
    join(host, 'package.json'),
    JSON.stringify({ dependencies: { [ROUTER.name]: '*', [ALLOW_ALL]: '*' } }),
  );
  // Discovery reads the package.json next to the file that Node.js was started with.
  process.argv[1] = join(host, 'index.js');
});

afterAll(async () => {
  process.argv[1] = started;
  await rm(host, { recursive: true, force: true });
});

const startHost = async (
  packages: unknown,
  policyRouter: object,
  features: readonly BackendFeature[] = [],
): Promise<RunningBackend> => {
  const file = join(host, 'packages.yaml');
  await writeFile(file, stringify({ backend: { packages } }));
  return startBackend({
    policy: discoveryFeatureLoader,
    configFiles: [file],
    policyRouter,
    features,
  });
};

const answersOf = async (backend: RunningBackend): Promise<readonly string[]> => {
  try {
    const token = await backend.signIn('nolan');
    const questions = [basic('docs.page.create'), basic('catalog.entity.create')];
    return (await authorize(backend.url, token, questions)).results;
  } finally {
    await backend.stop();
  }
};

const tableOf = (source: string, sources: object = {}): object => ({
  fallback: 'deny',
  sources,
  routes: [{ prefix: 'docs', sources: [source] }],
});

const without = { exclude: [ALLOW_ALL] };

it('feature discovery installs the router', async () => {
  const backend = await startHost(without, tableOf('allow'));
  expect(await answersOf(backend)).toEqual(['ALLOW', 'DENY']);
});

it('feature discovery of a second policy fails the start, and the error says what to exclude', async () => {
  await expect(startHost('all', tableOf('allow'))).rejects.toThrow(
    'another module has already set the permission policy. Remove it from the backend ' +
      '(if feature discovery finds it: backend.packages.exclude)',
  );
});

it('feature discovery must exclude a module that hostPolicy wraps', async () => {
  const table = tableOf('everybody', { everybody: { type: 'hosted' } });
  const hosted = [
    hostPolicy(
      'everybody',
      import('@backstage/plugin-permission-backend-module-allow-all-policy'),
    ),
  ];
  await expect(startHost('all', table, hosted)).rejects.toThrow(
    "Module 'allow-all-policy' for plugin 'permission' is already registered",
  );
  const backend = await startHost(without, table, hosted);
  expect(await answersOf(backend)).toEqual(['ALLOW', 'DENY']);
});
