import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFiles } from '../support/folder';
import { startOpa, type OpaServer } from '../support/opa-server';
import { configMap, moved, podSpec } from './manifests';

export interface ManifestOpaOptions {
  readonly binary: string;
  /** Takes the place of the folders of its container; what it persists stays here. */
  readonly folder: string;
  /** PEM of the key that bundles must be signed by. */
  readonly publicKey: string;
  readonly store: { readonly url: string; readonly token: string };
  /** The longest time between two looks at the store, in seconds; the shortest is half of it. */
  readonly polling: number;
  /** To start it again at the same address. */
  readonly port?: number;
}

export interface ManifestOpa extends OpaServer {
  readonly socket: string;
}

/**
 * OPA as in the pod: the arguments and the config of config/kubernetes/, with other paths and another
 * store. It listens at a TCP port too, which is how `startOpa` knows that it is ready.
 */
export async function startManifestOpa(
  options: ManifestOpaOptions,
): Promise<ManifestOpa> {
  const { binary, folder, publicKey, store, polling, port } = options;
  const container = podSpec().initContainers.find(({ name }) => name === 'opa');
  const [run, server, ...args] = container?.args ?? [];
  if (run !== 'run' || server !== '--server') throw new Error('opa does not serve');
  const [etc, lib] = [join(folder, 'etc'), join(folder, 'lib')];
  mkdirSync(lib, { recursive: true });
  const { 'opa.yaml': config } = configMap('opa');
  writeFiles(etc, {
    'opa.yaml': moved(config ?? '', {
      'https://example-policies.example.com': store.url,
      '/etc/policy-store': etc,
      '/var/lib/opa': lib,
      'min_delay_seconds: 10': `min_delay_seconds: ${Math.ceil(polling / 2)}`,
      'max_delay_seconds: 20': `max_delay_seconds: ${polling}`,
    }),
    'policy.pub.pem': publicKey,
    token: store.token,
  });
  const socket = join(folder, 'opa.sock');
  const opa = await startOpa({
    binary,
    args: [
      ...moved(args.join('\n'), {
        '/etc/opa': etc,
        '/run/opa/opa.sock': socket,
        '0.0.0.0:8282': '127.0.0.1:0',
      }).split('\n'),
    ],
    ...(port === undefined ? {} : { port }),
  });
  return { ...opa, socket };
}
