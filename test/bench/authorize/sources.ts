import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_RULE } from '../../../src/sources/opa/batch-rule';
import { buildBundle } from '../../support/wasm-bundle';
import type { Run } from '../section';
import { ENTRYPOINT, type Sources } from './contestants';

/** The policy of the benchmark; relative to the package. */
export const POLICY = 'test/bench/authorize/policy.rego';

/** Compiles the policy of the benchmark to Wasm. */
export async function sourcesOf({ opa, folder }: Run): Promise<Sources> {
  const bundle = join(folder, 'bundle.tar.gz');
  const rego = await readFile(POLICY, 'utf8');
  await writeFile(bundle, await buildBundle(opa.binary, rego, ENTRYPOINT));
  return { opaUrl: opa.url, opaSocket: opa.socket, bundle, batch: DEFAULT_RULE };
}
