import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text, buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

/** What `opa build -t wasm` puts into a bundle and an evaluation needs. */
export interface WasmBundle {
  readonly wasm: Buffer;
  readonly data: object;
}

/**
 * Reads `bundle.tar.gz` as `opa build -t wasm` writes it.
 *
 * @throws Error if the file is missing, is no such bundle, or holds no `policy.wasm`.
 */
export async function readBundle(path: string): Promise<WasmBundle> {
  const compressed = await readFile(path);
  let wasm: Buffer | undefined;
  let data: object = {};
  const tar = extract();
  const entries = (async () => {
    for await (const entry of tar) {
      const name = entry.header.name.replace(/^\.?\//, '');
      if (name === 'policy.wasm') wasm = await buffer(entry);
      else if (name === 'data.json') data = JSON.parse(await text(entry)) as object;
      else entry.resume();
    }
  })();
  await Promise.all([
    pipeline(Readable.from([compressed]), createGunzip(), tar),
    entries,
  ]);
  if (!wasm)
    throw new Error('it holds no policy.wasm; build it with opa build -t wasm');
  return { wasm, data };
}
