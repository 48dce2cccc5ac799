import { peerDependencies } from '../package.json';
import {
  assertSupportedRelease,
  OLDEST_RELEASE,
  type Installed,
} from '../src/supported-release';
import pins from './releases/pins/1.43.json';
import { RELEASES } from './releases/releases';

const PLUGIN_API = '@backstage/backend-plugin-api';
const NODE = '@backstage/plugin-permission-node';

/** A backend of the oldest release, with other versions of some packages. */
function backend(
  found: Record<string, string | undefined>,
  appApi?: string,
): Installed {
  const versions: Record<string, string | undefined> = { ...pins, ...found };
  return {
    peers: peerDependencies,
    version: name => versions[name],
    versionInBackend: () => appApi,
  };
}

it.each([
  ['the oldest release', backend({})],
  ['a patch of it', backend({ [NODE]: '0.10.5' })],
  ['the next major', backend({ [NODE]: '0.11.6' })],
  ['a pre-release', backend({ [NODE]: '0.11.7-next.0' })],
  ['a release that is newer than the package knows', backend({ [NODE]: '0.12.0' })],
  ['packages that cannot be read', backend({ [NODE]: undefined })],
  ['new modules in a new backend', backend({ [PLUGIN_API]: '1.12.0' }, '1.9.0')],
  [
    'new modules in the first backend that reads them',
    backend({ [PLUGIN_API]: '1.7.0' }, '1.5.0'),
  ],
  ['new modules in an unknown backend', backend({ [PLUGIN_API]: '1.12.0' })],
])('accepts %s', (_, installed) => {
  expect(() => assertSupportedRelease(installed)).not.toThrow();
});

it('names the release that is needed, and every package that is too old', () => {
  const old = backend({ [NODE]: '0.10.3', [PLUGIN_API]: '1.4.2' });
  expect(() => assertSupportedRelease(old)).toThrow(
    'The policy router needs Backstage 1.43 or later. This backend has ' +
      '@backstage/backend-plugin-api 1.4.2 (needed: ^1.4.3), ' +
      '@backstage/plugin-permission-node 0.10.3 (needed: ^0.10.4 || ^0.11.0). ' +
      'Upgrade it: yarn backstage-cli versions:bump',
  );
});

it('names the copy that an older backend cannot load', () => {
  const lifted = backend({ [PLUGIN_API]: '1.12.0' }, '1.4.1');
  expect(() => assertSupportedRelease(lifted)).toThrow(
    'The policy router found @backstage/backend-plugin-api 1.12.0. This backend is older than ' +
      'Backstage 1.48 (@backstage/backend-app-api 1.4.1) and cannot load modules made with it. ' +
      'Remove that copy, so that the router uses the one of the backend ' +
      '(yarn why @backstage/backend-plugin-api), or upgrade Backstage',
  );
});

it('accepts the packages of this project', () => {
  expect(() => assertSupportedRelease()).not.toThrow();
});

it('is tested on the oldest release', () => {
  expect(RELEASES[0]!.name).toBe(OLDEST_RELEASE);
});
