import { gunzipSync, gzipSync } from 'node:zlib';
import { MAX_UNPACKED_BYTES, unpackBundle } from '../../../src/sources/opa-wasm/bundle';
import { buildBundle, constant } from '../../support/tested-policy';
import { packBundle } from '../../support/wasm-bundle';
import { describeWithOpa } from '../../support/with-opa';

describeWithOpa('a bundle that cannot be used', () => {
  let good: Buffer;
  let wasm: Buffer;
  beforeAll(async () => {
    good = await buildBundle(constant('ALLOW'));
    ({ wasm } = await unpackBundle(good));
  });

  const withData = (content: string): Promise<Buffer> =>
    packBundle([
      ['/policy.wasm', wasm],
      ['/data.json', content],
    ]);

  it.each<[what: string, bundle: () => Buffer | Promise<Buffer>, message: string]>([
    ['is empty', () => Buffer.alloc(0), 'its gzip data is truncated'],
    ['is not gzip', () => Buffer.from('hello'), 'it is not a gzip file (Z_DATA_ERROR)'],
    [
      'is cut off',
      () => good.subarray(0, good.length / 2),
      'its gzip data is truncated',
    ],
    ['is damaged', () => damaged(good), 'it is not a gzip file (Z_DATA_ERROR)'],
    [
      'is not a tar archive',
      () => gzipSync('hello '.repeat(1000)),
      'it is not a tar archive, or it is truncated',
    ],
    [
      'is a tar that is cut off',
      () => gzipSync(gunzipSync(good).subarray(0, 10_000)),
      'it is not a tar archive, or it is truncated',
    ],
    [
      'unpacks to gigabytes',
      () => gzipSync(Buffer.alloc(MAX_UNPACKED_BYTES + 1)),
      'it unpacks to more than 67108864 bytes',
    ],
    [
      'has no Wasm',
      () => packBundle([['data.json', '{}']]),
      "it has no policy.wasm; build it with 'opa build -t wasm'",
    ],
    [
      'has Wasm in another folder only',
      () => packBundle([['a/policy.wasm', wasm]]),
      "it has no policy.wasm; build it with 'opa build -t wasm'",
    ],
    [
      'has two policies',
      () =>
        packBundle([
          ['/policy.wasm', wasm],
          ['policy.wasm', wasm],
        ]),
      'it has more than one policy.wasm',
    ],
    [
      'has two sets of data',
      () =>
        packBundle([
          ['policy.wasm', wasm],
          ['data.json', ''],
          ['./data.json', '{}'],
        ]),
      'it has more than one data.json',
    ],
    ['has data that are no JSON', () => withData('{"a":'), 'its data.json is not JSON'],
    ['has empty data', () => withData(''), 'its data.json is not JSON'],
    ['has a list as data', () => withData('[]'), 'its data.json is not a JSON object'],
    ['has null as data', () => withData('null'), 'its data.json is not a JSON object'],
  ])('because it %s is an error', async (_, bundle, message) => {
    await expect(unpackBundle(await bundle())).rejects.toThrow(
      expect.objectContaining({ message }) as Error,
    );
  });
});

/** The same length, other bytes in the middle. */
function damaged(bundle: Buffer): Buffer {
  const copy = Buffer.from(bundle);
  const middle = copy.length >> 1;
  copy.fill(0xff, middle, middle + 100);
  return copy;
}
