import { unpackBundle, type WasmBundle } from '../../../src/sources/opa-wasm/bundle';
import {
  CompiledPolicy,
  memoryOf,
} from '../../../src/sources/opa-wasm/compiled-policy';
import { Evaluator } from '../../../src/sources/opa-wasm/evaluator';
import {
  buildBundle,
  constant,
  ENTRYPOINT,
  inputOf,
} from '../../support/tested-policy';
import { turnsDuring } from '../../support/turns';
import { describeWithOpa } from '../../support/with-opa';

const compile = (bundle: WasmBundle): Promise<CompiledPolicy> =>
  CompiledPolicy.compile(bundle, ENTRYPOINT);

describeWithOpa('a policy that cannot be used', () => {
  let wasm: Buffer;
  beforeAll(async () => {
    ({ wasm } = await unpackBundle(await buildBundle(constant('ALLOW'))));
  });

  const emptyModule = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const policyOf = (content: Buffer | string): WasmBundle => ({
    wasm: Buffer.from(content),
    data: '{}',
  });
  const withData = (data: string): WasmBundle => ({ wasm, data });

  it.each<
    [what: string, bundle: () => WasmBundle | Promise<WasmBundle>, message: string]
  >([
    [
      'has a policy.wasm that is not Wasm',
      () => policyOf('hello'),
      'its policy.wasm is not WebAssembly',
    ],
    ['has empty Wasm', () => policyOf(''), 'its policy.wasm is not WebAssembly'],
    [
      'has Wasm of another program',
      () => policyOf(emptyModule),
      'its policy.wasm was not built by OPA: it has no opa_wasm_abi_version',
    ],
    [
      'has Wasm that needs more than it is given',
      () => policyOf(renamed(wasm, 'opa_abort', 'opa_other')),
      'its policy.wasm cannot be started (LinkError)',
    ],
    [
      'has Wasm of a later ABI',
      () => policyOf(ofAbi(wasm, 2)),
      'its policy.wasm has ABI version 2, but only version 1 is supported; build it with another version of OPA',
    ],
    [
      'has more data than fit',
      () => withData(JSON.stringify({ list: Array(1_500_000).fill({}) })),
      'its data.json cannot be loaded; policy and data together may use at most 268435456 bytes of Wasm memory',
    ],
    [
      'lacks the entrypoint',
      async () => unpackBundle(await buildBundle(constant('ALLOW'), 'tested')),
      'it has no entrypoint "tested/decision"; its entrypoints: "tested"',
    ],
  ])('because it %s is an error', async (_, bundle, message) => {
    await expect(compile(await bundle())).rejects.toThrow(
      expect.objectContaining({ message }) as Error,
    );
  });

  it('names ten of many entrypoints', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `r${index}`);
    const rules = names.map(name => `# METADATA\n# entrypoint: true\n${name} := 1\n`);
    const bundle = await buildBundle(
      `package tested\n${rules.join('\n')}`,
      'tested/r0',
    );
    await expect(unpackBundle(bundle).then(compile)).rejects.toThrow(
      /its entrypoints: ("tested\/r\d+", ){9}"tested\/r\d+" and 2 more$/,
    );
  });
});

describeWithOpa('a policy', () => {
  it('may have more constants than an instance has memory at first', async () => {
    const names = ['a', 'b', 'c', 'd'].map(letter => letter.repeat(200_000));
    const large = await buildBundle(
      `package tested\nimport rego.v1\ndecision := {"result": "ALLOW"} if input.permission.name in ${JSON.stringify(names)}`,
    );
    const policy = await compile(await unpackBundle(large));
    expect(new Evaluator(policy, ENTRYPOINT).evaluate(inputOf(names[3]!))).toBe(
      '[{"result":{"result":"ALLOW"}}]',
    );
  });
});

describeWithOpa('an instance made gently', () => {
  it('is the same as one made at once, and lets the event loop turn', async () => {
    const roles = Array.from({ length: 30_000 }, (_, index) => [
      `user ${index}`,
      'admin',
    ]);
    const bundle = await buildBundle(
      `package tested\nimport rego.v1\ndecision := {"result": data.roles[input.permission.name]}`,
      ENTRYPOINT,
      { roles: Object.fromEntries(roles) as object },
    );
    const policy = await compile(await unpackBundle(bundle));
    const making = policy.instantiateGently();
    const turns = await turnsDuring(making);
    const gentle = await making;
    expect(turns).toBeGreaterThan(2);
    const bytes = (instance: typeof gentle): Buffer =>
      Buffer.from(memoryOf(instance).buffer);
    expect(bytes(gentle).equals(bytes(policy.instantiate()))).toBe(true);
    const input = inputOf('user 29999');
    expect(new Evaluator(policy, ENTRYPOINT, gentle).evaluate(input)).toBe(
      '[{"result":{"result":"admin"}}]',
    );
  });
});

/** Of equal length. */
function renamed(wasm: Buffer, from: string, to: string): Buffer {
  const copy = Buffer.from(wasm);
  copy.write(to, copy.indexOf(from), 'latin1');
  return copy;
}

/** The ABI version is a constant: the global that is exported under its name. */
function ofAbi(wasm: Buffer, version: number): Buffer {
  const copy = Buffer.from(wasm);
  const name = 'opa_wasm_abi_version';
  // An export is its name, its kind (3: a global), its index.
  const [kind, index] = copy.subarray(copy.indexOf(name) + name.length);
  if (kind !== 3 || index === undefined) throw new Error('not exported as a global');
  let offset = sectionOffset(copy, 6);
  [, offset] = readNumber(copy, offset);
  // A global is its type, its mutability, i32.const, the value, end.
  for (let global = 0; global < index; global++)
    offset = readNumber(copy, offset + 3)[1] + 1;
  const [old] = readNumber(copy, offset + 3);
  if (old !== 1) throw new Error(`version ${old} is where 1 should be`);
  copy[offset + 3] = version;
  return copy;
}

/** Where the content of the first section with this id begins. */
function sectionOffset(wasm: Buffer, wanted: number): number {
  let offset = 8;
  while (offset < wasm.length) {
    const id = wasm[offset];
    const [size, content] = readNumber(wasm, offset + 1);
    if (id === wanted) return content;
    offset = content + size;
  }
  throw new Error(`no section ${wanted}`);
}

/** An unsigned LEB128, and where it ends. */
function readNumber(bytes: Buffer, start: number): [value: number, end: number] {
  let value = 0;
  for (let offset = start, shift = 0; ; offset++, shift += 7) {
    const byte = bytes[offset]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, offset + 1];
  }
}
