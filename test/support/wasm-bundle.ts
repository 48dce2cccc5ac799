import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/**
 * A bundle that a real OPA compiles; the Rego is in a file `policy.rego`.
 *
 * @param opa - the path of the OPA binary.
 */
export async function buildBundle(
  opa: string,
  rego: string,
  entrypoint: string,
  data: object = {},
): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'policy-router-'));
  try {
    await writeFile(join(folder, 'policy.rego'), rego);
    await writeFile(join(folder, 'data.json'), JSON.stringify(data));
    await promisify(execFile)(
      opa,
      [
        'build',
        ...['--target', 'wasm'],
        ...['--entrypoint', entrypoint],
        ...['--output', 'bundle.tar.gz'],
        ...['policy.rego', 'data.json'],
      ],
      { cwd: folder },
    );
    return await readFile(join(folder, 'bundle.tar.gz'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A bundle with any files, in this order. */
export async function packBundle(
  entries: ReadonlyArray<readonly [name: string, content: Buffer | string]>,
): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of entries) tar.entry({ name }, content);
  tar.finalize();
  return gzipSync(await buffer(tar));
}
