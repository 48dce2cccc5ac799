/** Bundles as a pipeline makes them: built and signed by `opa build`. */
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface SigningKey {
  /** The path of the private key, which the pipeline has. */
  readonly path: string;
  /** PEM; what OPA checks signatures with. */
  readonly publicKey: string;
}

export async function makeSigningKey(
  folder: string,
  name: string,
): Promise<SigningKey> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const path = join(folder, `${name}.pem`);
  await writeFile(path, privateKey, { mode: 0o600 });
  return { path, publicKey };
}

export interface BundleContents {
  readonly rego: string;
  readonly data: object;
}

/**
 * @param binary - the path of OPA.
 * @param folder - for its files; a new one.
 * @param key - without one, the bundle is not signed.
 */
export async function buildBundle(
  binary: string,
  folder: string,
  { rego, data }: BundleContents,
  key: SigningKey | undefined,
): Promise<Buffer> {
  const source = join(folder, 'source');
  await mkdir(source, { recursive: true });
  await writeFile(join(source, 'policy.rego'), rego);
  await writeFile(join(source, 'data.json'), JSON.stringify(data));
  const bundle = join(folder, 'bundle.tar.gz');
  await promisify(execFile)(binary, [
    'build',
    '--bundle',
    ...(key === undefined ? [] : ['--signing-key', key.path]),
    ...['--output', bundle],
    source,
  ]);
  return readFile(bundle);
}
