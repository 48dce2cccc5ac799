import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { isJsonObject } from '../../lib/json-object';
import { errorName } from '../../lib/foreign-error';

/** The largest size of an unpacked bundle, in bytes: a little gzip can unpack to gigabytes. */
export const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;
/** The largest size of the file; gzip makes a bundle smaller. */
export const MAX_BUNDLE_BYTES = MAX_UNPACKED_BYTES;

/** The files of `opa build -t wasm` that an evaluation needs. */
export interface WasmBundle {
  readonly wasm: Buffer;
  /** `data.json`, a JSON object as text. */
  readonly data: string;
}

/**
 * Reads the content of a `bundle.tar.gz` as `opa build -t wasm` writes it.
 *
 * @throws Error that says what is wrong with it, without repeating any of its content.
 */
export async function unpackBundle(compressed: Uint8Array): Promise<WasmBundle> {
  const { wasm, data } = await entriesOf(await unzip(compressed));
  if (!wasm)
    throw new Error("it has no policy.wasm; build it with 'opa build -t wasm'");
  return { wasm, data: data ? jsonObject(data) : '{}' };
}

async function unzip(compressed: Uint8Array): Promise<Buffer> {
  try {
    return await promisify(gunzip)(compressed, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'ERR_BUFFER_TOO_LARGE')
      throw new Error(`it unpacks to more than ${MAX_UNPACKED_BYTES} bytes`);
    if (code === 'Z_BUF_ERROR') throw new Error('its gzip data is truncated');
    throw new Error(`it is not a gzip file (${errorName(error)})`);
  }
}

const WANTED = { 'policy.wasm': 'wasm', 'data.json': 'data' } as const;

type Entries = { [key in (typeof WANTED)[keyof typeof WANTED]]?: Buffer };

async function entriesOf(archive: Buffer): Promise<Entries> {
  const found: Entries = {};
  const twice = new Set<string>();
  const tar = extract();
  const collect = async (): Promise<void> => {
    for await (const entry of tar) {
      const name = entry.header.name.replace(/^\.?\//, '');
      if (entry.header.type !== 'file' || !isWanted(name)) {
        entry.resume();
        continue;
      }
      if (found[WANTED[name]]) twice.add(name);
      found[WANTED[name]] = await buffer(entry);
    }
  };
  try {
    await Promise.all([pipeline(Readable.from([archive]), tar), collect()]);
  } catch {
    throw new Error('it is not a tar archive, or it is truncated');
  }
  if (twice.size > 0)
    throw new Error(`it has more than one ${[...twice].join(' and ')}`);
  return found;
}

const isWanted = (name: string): name is keyof typeof WANTED =>
  Object.hasOwn(WANTED, name);

function jsonObject(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('its data.json is not JSON');
  }
  if (!isJsonObject(value)) throw new Error('its data.json is not a JSON object');
  return text;
}
