/** The embedded Wasm policy: what breaks it, what it may take, and how it is kept current. */
import { execFile } from 'node:child_process';
import { once, EventEmitter } from 'node:events';
import { unwatchFile, watchFile } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as fileWatch from '../../../src/lib/file-watch';
import { guardedSource } from '../../../src/guard/guarded-source';
import type { PermissionRequest } from '../../../src/request';
import { MAX_UNPACKED_BYTES, unpackBundle } from '../../../src/sources/opa-wasm/bundle';
import {
  CompiledPolicy,
  MAX_EVALUATION_MEMORY,
} from '../../../src/sources/opa-wasm/compiled-policy';
import { Evaluator, MAX_GROWTH } from '../../../src/sources/opa-wasm/evaluator';
import { MAX_INPUT_BYTES, OpaWasmSource } from '../../../src/sources/opa-wasm/source';
import { temporaryFolder } from '../../support/backend';
import { CapturedLogs } from '../../support/captured-logs';
import { buildBundle as buildWith, packBundle } from '../../support/wasm-bundle';
import { describeWithOpa, requireOpa } from '../../support/with-opa';
import { BroughtSources } from '../../../src/hosting/brought-sources';

/** Tells when a file has been read, and how often each was: one may be read past its test's end. */
const mockReadings = Object.assign(new EventEmitter(), {
  finished: new Map<string, number>(),
});

jest.mock('../../../src/lib/file-watch', () => {
  const actual = jest.requireActual<typeof fileWatch>('../../../src/lib/file-watch');
  const readSettledAndTell = async (path: string): Promise<Buffer> => {
    try {
      return await actual.readSettled(path);
    } finally {
      const { finished } = mockReadings;
      finished.set(path, (finished.get(path) ?? 0) + 1);
      mockReadings.emit('finished');
    }
  };
  return { ...actual, readSettled: jest.fn(readSettledAndTell) };
});
const readSettled = jest.mocked(fileWatch.readSettled);

const ENTRYPOINT = 'tested/decision';

const buildBundle = (
  rego: string,
  entrypoint: string = ENTRYPOINT,
  data: object = {},
): Promise<Buffer> => buildWith(requireOpa(), rego, entrypoint, data);

const SECRET = 'user:default/secret-agent';

/** What the permission's name asks for. */
const REGO = `package tested

import rego.v1

name := input.permission.name

decision := {"result": "ALLOW"} if name in {"allow", "conflict"}
decision := {"result": "DENY"} if name == "conflict"
decision := {"result": "ALLOW"} if {
	name == "missing built-in"
	http.send({"method": "get", "url": input.identity.user}).status_code == 200
}
decision := {"result": twice(2)} if name == "function conflict"
decision := {v: v | some v in [input.identity.user]} if name == "shape"
decision := {input.identity.user: v | some v in ["a", "b"]} if name == "object conflict"
decision := {"result": "ALLOW"} if {
	name == "out of memory"
	count([[x, y] | some x in numbers.range(1, 3000); some y in numbers.range(1, 3000)]) > 0
}
decision := {"result": "ALLOW"} if {
	name == "much memory"
	count([[x, y] | some x in numbers.range(1, 200); some y in numbers.range(1, 200)]) > 0
}
decision := {"result": "ALLOW"} if {
	name == "deep"
	brackets := concat("", ["[" | some _ in numbers.range(1, 20000)])
	json.unmarshal(brackets) == 1
}
decision := {"result": "ALLOW"} if {
	name == "bad pattern"
	count(regex.split(concat("", ["(", input.identity.user]), "x")) > 0
}
decision := {"result": "ALLOW"} if name == "a\\ufffdb\\ufffd"
decision := {"result": "ALLOW"} if name == "\\\\ud800"
decision := {"result": "ALLOW"} if data.roles[input.identity.user] == "admin"

twice(x) := "ALLOW" if x > 0
twice(x) := "DENY" if x > 1
`;

const request = (
  name: string,
  userEntityRef = SECRET,
  ownershipEntityRefs: readonly string[] = [],
): PermissionRequest => ({
  permission: { type: 'basic', name, attributes: {} },
  principal: { userEntityRef, ownershipEntityRefs },
});

const constant = (result: string): string =>
  `package tested\nimport rego.v1\ndecision := {"result": "${result}"}\n`;

let folder: string;
let file: string;
let logs: CapturedLogs;
const open: OpaWasmSource[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  file = join(folder, 'bundle.tar.gz');
  logs = new CapturedLogs();
});

afterEach(async () => {
  jest.restoreAllMocks();
  readSettled.mockClear();
  for (const source of open.splice(0)) await source.close();
  await rm(folder, { recursive: true });
});

async function load(bundle = file, name = 'embedded'): Promise<OpaWasmSource> {
  const source = await OpaWasmSource.load(
    { bundle, entrypoint: ENTRYPOINT },
    name,
    logs.logger(),
  );
  open.push(source);
  return source;
}

async function sourceOf(bundle: Buffer): Promise<OpaWasmSource> {
  await writeFile(file, bundle);
  return load();
}

describeWithOpa('a Wasm policy', () => {
  let bundle: Buffer;
  let source: OpaWasmSource;
  beforeAll(async () => {
    bundle = await buildBundle(REGO, ENTRYPOINT, {
      roles: { 'user:default/root': 'admin' },
    });
  });
  beforeEach(async () => {
    source = await sourceOf(bundle);
  });

  const kind = (name: string, user?: string): string =>
    source.ask(request(name, user)).kind;

  describe('that breaks', () => {
    it.each([
      [
        'missing built-in',
        'the policy calls http.send, a built-in function that the evaluator does not have',
      ],
      [
        'conflict',
        'two rules contradict each other, at "policy.rego:8:1" (eval_conflict_error)',
      ],
      [
        'function conflict',
        'two rules contradict each other, at "policy.rego:38:1" (eval_conflict_error)',
      ],
      [
        'object conflict',
        'two rules contradict each other, at "policy.rego:15:13" (eval_conflict_error)',
      ],
      [
        'out of memory',
        `the evaluation took more than ${MAX_EVALUATION_MEMORY} bytes of Wasm memory`,
      ],
      ['deep', 'the evaluation broke (RangeError)'],
      ['bad pattern', 'the evaluation broke (SyntaxError)'],
    ])('by %s is invalid, and right again at the next question', (name, message) => {
      const answer = source.ask(request(name));
      expect(answer).toEqual({
        kind: 'FAILED',
        failure: { class: 'invalid', code: 'EVALUATION_FAILED', message },
        exchange: { input: expect.anything() as unknown },
      });
      expect(kind('allow')).toBe('ALLOW');
      expect(kind('other', 'user:default/root')).toBe('ALLOW');
    });

    // The evaluator's instance traps for ever after 511 such errors.
    it('a thousand times in a row answers the questions in between right', () => {
      for (let index = 0; index < 1000; index++) {
        expect(source.ask(request('conflict'))).toMatchObject({
          failure: { message: expect.stringContaining('contradict') as unknown },
        });
        expect(kind('allow')).toBe('ALLOW');
      }
    });

    it('is undefined, not an abstention, where no rule holds', () => {
      expect(source.ask(request('other'))).toMatchObject({
        failure: { code: 'UNDEFINED_DECISION' },
      });
    });
  });

  describe('asked in odd characters', () => {
    it.each([
      ['a\ud800b\udc00', 'ALLOW'],
      ['\\ud800', 'ALLOW'],
      ['\\\ud800', 'FAILED'],
      ['\ud83d\ude00', 'FAILED'],
      ['\u0000', 'FAILED'],
    ])('reads %j as an OPA server does', (name, expected) => {
      const answer = source.ask(request(name));
      expect(answer.kind).toBe(expected);
      if (answer.kind === 'FAILED')
        expect(answer.failure.code).toBe('UNDEFINED_DECISION');
    });
  });

  describe('asked with a large input', () => {
    const bytesWithout = JSON.stringify({
      permission: request('allow').permission,
      identity: { user: '', claims: [] },
    }).length;

    it('evaluates one of the largest size', () => {
      const user = 'u'.repeat(MAX_INPUT_BYTES - bytesWithout);
      expect(kind('allow', user)).toBe('ALLOW');
    });

    it.each([
      ['one byte more', 'u'.repeat(MAX_INPUT_BYTES - bytesWithout + 1)],
      ['few characters of many bytes', 'ü'.repeat(MAX_INPUT_BYTES / 2)],
    ])('does not evaluate %s', (_, user) => {
      const evaluate = jest.spyOn(Evaluator.prototype, 'evaluate');
      expect(source.ask(request('allow', user))).toEqual({
        kind: 'FAILED',
        failure: {
          class: 'invalid',
          code: 'INPUT_TOO_LARGE',
          message:
            'the input is larger than 524288 bytes of JSON; it was not evaluated',
        },
      });
      expect(evaluate).not.toHaveBeenCalled();
    });

    it('takes a user of 5,000 groups', () => {
      const groups = Array.from({ length: 5000 }, (_, index) =>
        `group:default/${index}`.padEnd(100, 'x'),
      );
      expect(source.ask(request('allow', SECRET, groups)).kind).toBe('ALLOW');
    });
  });

  describe('whose memory grows', () => {
    const { WebAssembly } = globalThis as unknown as {
      WebAssembly: { Instance: new (...args: unknown[]) => object };
    };

    /** As when the engine has no memory left, for the next so many instances. */
    function refuseInstances(count: number): void {
      const { Instance } = WebAssembly;
      let left = count;
      jest.spyOn(WebAssembly, 'Instance').mockImplementation((...args) => {
        if (left-- > 0) throw new RangeError('WebAssembly.Instance(): Out of memory');
        return new Instance(...args);
      });
    }

    it('has a new instance past the bound, and answers with it as before', () => {
      const fresh = source.memoryBytes;
      expect(kind('allow')).toBe('ALLOW');
      expect(source.memoryBytes).toBe(fresh);
      expect(kind('much memory')).toBe('ALLOW');
      expect(source.memoryBytes).toBe(fresh);
      expect(kind('other', 'user:default/root')).toBe('ALLOW');
      expect(kind('other')).toBe('FAILED');
    });

    it('keeps the instance while there is no room for another', () => {
      const fresh = source.memoryBytes;
      refuseInstances(1);
      expect(kind('much memory')).toBe('ALLOW');
      expect(source.memoryBytes).toBeGreaterThan(fresh + MAX_GROWTH);
      expect(kind('other', 'user:default/root')).toBe('ALLOW');
      expect(source.memoryBytes).toBe(fresh);
    });

    it('is invalid while no instance can be had after an error, and right after that', () => {
      expect(kind('conflict')).toBe('FAILED');
      refuseInstances(2);
      for (let time = 0; time < 2; time++) {
        expect(source.ask(request('allow'))).toMatchObject({
          failure: {
            class: 'invalid',
            code: 'EVALUATION_FAILED',
            message: 'the evaluation broke (RangeError)',
          },
        });
      }
      expect(kind('allow')).toBe('ALLOW');
      expect(kind('other', 'user:default/root')).toBe('ALLOW');
    });

    it('stays within the bound over 20,000 questions of all sizes', () => {
      const fresh = source.memoryBytes;
      const groups = Array.from(
        { length: 5000 },
        (_, index) => `group:default/${index}`,
      );
      let largest = 0;
      for (let index = 0; index < 20_000; index++) {
        // Mostly small; every thousandth is a user of thousands of groups.
        const many = index % 1000 === 0 ? 5000 - index / 20 : index % 40;
        const name =
          index % 100 === 0 ? 'conflict' : index % 500 === 1 ? 'much memory' : 'allow';
        const answer = source.ask(request(name, SECRET, groups.slice(0, many)));
        expect(answer.kind).toBe(name === 'conflict' ? 'FAILED' : 'ALLOW');
        largest = Math.max(largest, source.memoryBytes);
      }
      expect(largest).toBeLessThanOrEqual(fresh + MAX_GROWTH);
    });
  });

  it('may have more constants than an instance has memory at first', async () => {
    const names = ['a', 'b', 'c', 'd'].map(letter => letter.repeat(200_000));
    const large = await buildBundle(
      `package tested\nimport rego.v1\ndecision := {"result": "ALLOW"} if input.permission.name in ${JSON.stringify(names)}`,
      ENTRYPOINT,
    );
    const other = await sourceOf(large);
    expect(other.ask(request(names[3]!)).kind).toBe('ALLOW');
  });
});

describeWithOpa('a bundle that cannot be used', () => {
  let good: Buffer;
  let wasm: Buffer;
  beforeAll(async () => {
    good = await buildBundle(constant('ALLOW'), ENTRYPOINT);
    ({ wasm } = await unpackBundle(good));
  });

  const refusal = (): Promise<string> =>
    load().then(
      () => 'it was loaded',
      (error: Error) => error.message,
    );

  const emptyModule = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const withWasm = (content: Buffer | string): Promise<Buffer> =>
    packBundle([['policy.wasm', content]]);
  const withData = (content: string): Promise<Buffer> =>
    packBundle([
      ['/policy.wasm', wasm],
      ['/data.json', content],
    ]);

  const cases: ReadonlyArray<
    readonly [what: string, bundle: () => Buffer | Promise<Buffer>, message: string]
  > = [
    ['is empty', () => Buffer.alloc(0), 'its gzip data are cut off'],
    ['is no gzip', () => Buffer.from('hello'), 'it is no gzip file (Z_DATA_ERROR)'],
    [
      'is cut off',
      () => good.subarray(0, good.length / 2),
      'its gzip data are cut off',
    ],
    ['is damaged', () => damaged(good), 'it is no gzip file (Z_DATA_ERROR)'],
    [
      'is no tar',
      () => gzipSync('hello '.repeat(1000)),
      'it is no tar archive, or is cut off',
    ],
    [
      'is a tar that is cut off',
      () => gzipSync(gunzipSync(good).subarray(0, 10_000)),
      'it is no tar archive, or is cut off',
    ],
    [
      'unpacks to gigabytes',
      () => gzipSync(Buffer.alloc(MAX_UNPACKED_BYTES + 1)),
      'it unpacks to more than 67108864 bytes',
    ],
    [
      'has no Wasm',
      () => packBundle([['data.json', '{}']]),
      'it holds no policy.wasm; build it with opa build -t wasm',
    ],
    [
      'has Wasm in another folder only',
      () => packBundle([['a/policy.wasm', wasm]]),
      'it holds no policy.wasm; build it with opa build -t wasm',
    ],
    [
      'has two policies',
      () =>
        packBundle([
          ['/policy.wasm', wasm],
          ['policy.wasm', wasm],
        ]),
      'it holds more than one policy.wasm',
    ],
    [
      'has two sets of data',
      () =>
        packBundle([
          ['policy.wasm', wasm],
          ['data.json', ''],
          ['./data.json', '{}'],
        ]),
      'it holds more than one data.json',
    ],
    [
      'has Wasm that is none',
      () => withWasm('hello'),
      'its policy.wasm is not WebAssembly',
    ],
    ['has empty Wasm', () => withWasm(''), 'its policy.wasm is not WebAssembly'],
    [
      'has Wasm of another program',
      () => withWasm(emptyModule),
      'its policy.wasm is no policy of OPA: it has no opa_wasm_abi_version',
    ],
    [
      'has Wasm that needs more than it is given',
      () => withWasm(renamed(wasm, 'opa_abort', 'opa_other')),
      'its policy.wasm cannot be started (LinkError)',
    ],
    [
      'has Wasm of a later ABI',
      () => withWasm(ofAbi(wasm, 2)),
      'its policy.wasm has ABI version 2, only 1 is known; build it with another OPA',
    ],
    ['has data that are no JSON', () => withData('{"a":'), 'its data.json is not JSON'],
    ['has empty data', () => withData(''), 'its data.json is not JSON'],
    ['has a list as data', () => withData('[]'), 'its data.json is not a JSON object'],
    ['has null as data', () => withData('null'), 'its data.json is not a JSON object'],
    [
      'has more data than fit',
      () => withData(JSON.stringify({ list: Array(1_500_000).fill({}) })),
      'its data.json cannot be loaded; policy and data may take 268435456 bytes of Wasm memory',
    ],
    [
      'lacks the entrypoint',
      async () => buildBundle(constant('ALLOW'), 'tested'),
      'it has no entrypoint "tested/decision"; its entrypoints: "tested"',
    ],
  ];

  it.each(cases)('because it %s is an error', async (_, bundle, message) => {
    await writeFile(file, await bundle());
    expect(await refusal()).toBe(`the bundle '${file}' cannot be used: ${message}`);
  });

  it('because it is missing is an error', async () => {
    expect(await refusal()).toBe(
      `the bundle '${file}' does not exist (looked for ${file})`,
    );
  });

  it('because it is a folder is an error', async () => {
    await mkdir(file);
    expect(await refusal()).toBe(`the bundle '${file}' cannot be read (EISDIR)`);
  });

  it('is an error of the config that names the source', async () => {
    await writeFile(file, 'hello');
    const options = { bundle: file, entrypoint: ENTRYPOINT };
    await expect(
      guardedSource(
        'embedded',
        { type: 'opa-wasm', options },
        {
          logger: logs.logger(),
          policies: new BroughtSources(),
        },
      ),
    ).rejects.toMatchObject({
      name: 'PolicyRouterConfigError',
      problems: [
        {
          path: 'permission.policyRouter.sources.embedded',
          message: `the bundle '${file}' cannot be used: it is no gzip file (Z_DATA_ERROR)`,
        },
      ],
    });
  });

  it('names ten of many entrypoints', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `r${index}`);
    const rules = names.map(name => `# METADATA\n# entrypoint: true\n${name} := 1\n`);
    await writeFile(
      file,
      await buildBundle(`package tested\n${rules.join('\n')}`, 'tested/r0'),
    );
    expect(await refusal()).toMatch(
      /its entrypoints: ("tested\/r\d+", ){9}"tested\/r\d+" and 2 more$/,
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

describeWithOpa('the file of a bundle', () => {
  const bundles: Record<string, Buffer> = {};
  beforeAll(async () => {
    for (const result of ['ALLOW', 'DENY', 'NOT_APPLICABLE'])
      bundles[result] = await buildBundle(constant(result), ENTRYPOINT);
  });
  const bundleOf = (result: string): Buffer => bundles[result]!;

  const kind = (source: OpaWasmSource): string => source.ask(request('any')).kind;

  const CHANGED = 'has changed and is in use';
  const REFUSED = 'the changed bundle is not used, the last good one stays';

  /** Does something to the file and waits for the line that says what came of it. */
  async function change(does: () => Promise<unknown>, line: string): Promise<string> {
    const since = logs.lines.length;
    await does();
    const { level, message } = await logs.waitFor(line, since);
    return `${level}: ${message}`;
  }

  const finished = (): number => mockReadings.finished.get(file) ?? 0;

  /** When so many readings of this test's file are over. */
  async function readings(count: number): Promise<void> {
    const signal = AbortSignal.timeout(20_000);
    while (finished() < count) await once(mockReadings, 'finished', { signal });
  }

  it('is taken into use when it changes; what is bad changes nothing', async () => {
    const source = await sourceOf(bundleOf('DENY'));
    expect(kind(source)).toBe('DENY');

    expect(await change(() => writeFile(file, bundleOf('ALLOW')), CHANGED)).toBe(
      `info: Source 'embedded': the bundle '${file}' has changed and is in use`,
    );
    expect(kind(source)).toBe('ALLOW');

    expect(await change(() => writeFile(file, 'hello'), REFUSED)).toBe(
      `error: Source 'embedded': ${REFUSED}: the bundle '${file}' cannot be used: it is no gzip file (Z_DATA_ERROR)`,
    );
    expect(kind(source)).toBe('ALLOW');

    expect(await change(() => rm(file), REFUSED)).toContain('does not exist');
    expect(kind(source)).toBe('ALLOW');

    await change(() => writeFile(file, bundleOf('DENY')), CHANGED);
    expect(kind(source)).toBe('DENY');
  });

  it('is spoken of once while it stays bad in the same way', async () => {
    const source = await sourceOf(bundleOf('DENY'));
    const since = logs.lines.length;
    await change(() => writeFile(file, 'hello'), REFUSED);
    const before = finished();
    await writeFile(file, 'hello again');
    await readings(before + 1);
    await change(() => writeFile(file, bundleOf('ALLOW')), CHANGED);
    expect(kind(source)).toBe('ALLOW');
    expect(logs.lines.slice(since).map(({ level }) => level)).toEqual([
      'error',
      'info',
    ]);
  });

  it('is spoken of when it is valid again without having changed', async () => {
    const source = await sourceOf(bundleOf('ALLOW'));
    await change(() => writeFile(file, 'hello'), REFUSED);
    expect(await change(() => writeFile(file, bundleOf('ALLOW')), 'valid again')).toBe(
      `info: Source 'embedded': the bundle '${file}' is valid again and in use`,
    );
    await change(() => writeFile(file, 'hello'), REFUSED);
    expect(kind(source)).toBe('ALLOW');
  });

  it('may be replaced by an atomic rename', async () => {
    const source = await sourceOf(bundleOf('DENY'));
    for (const result of ['ALLOW', 'DENY']) {
      await change(async () => {
        await writeFile(`${file}.new`, bundleOf(result));
        await rename(`${file}.new`, file);
      }, CHANGED);
      expect(kind(source)).toBe(result);
    }
  });

  it('may be a Kubernetes ConfigMap, which swaps a symlink to a folder', async () => {
    const publish = async (version: string, result: string): Promise<void> => {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, 'bundle.tar.gz'), bundleOf(result));
      await symlink(version, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await publish('..2026_01', 'DENY');
    await symlink(join('..data', 'bundle.tar.gz'), file);
    const source = await load();
    expect(kind(source)).toBe('DENY');
    await change(() => publish('..2026_02', 'ALLOW'), CHANGED);
    await rm(join(folder, '..2026_01'), { recursive: true });
    expect(kind(source)).toBe('ALLOW');
    await change(() => publish('..2026_03', 'DENY'), CHANGED);
    expect(kind(source)).toBe('DENY');
  });

  it('may change before the watch begins', async () => {
    await writeFile(file, bundleOf('DENY'));
    readSettled.mockImplementationOnce(async () => {
      await writeFile(file, bundleOf('ALLOW'));
      return bundleOf('DENY');
    });
    const source = await load();
    await logs.waitFor(CHANGED);
    expect(kind(source)).toBe('ALLOW');
  });

  it('may be that of two sources, of which one closes', async () => {
    const first = await sourceOf(bundleOf('DENY'));
    const second = await load(file, 'second');
    await change(() => writeFile(file, bundleOf('ALLOW')), "Source 'second'");
    await logs.waitFor("Source 'embedded'");
    expect([kind(first), kind(second)]).toEqual(['ALLOW', 'ALLOW']);
    await first.close();
    await change(() => writeFile(file, bundleOf('NOT_APPLICABLE')), "Source 'second'");
    expect([kind(first), kind(second)]).toEqual(['ALLOW', 'NOT_APPLICABLE']);
  });

  it('is not looked at any more once the source is closed', async () => {
    const source = await sourceOf(bundleOf('DENY'));
    await readings(2);
    await source.close();
    const seen = new Promise<void>(resolve => {
      watchFile(file, { interval: 50 }, () => resolve());
    });
    await writeFile(file, bundleOf('ALLOW'));
    await seen;
    unwatchFile(file);
    expect(readSettled.mock.calls.filter(([path]) => path === file)).toHaveLength(2);
    expect(kind(source)).toBe('DENY');
  });

  it('changes nothing when the source closes while it is read', async () => {
    const source = await sourceOf(bundleOf('DENY'));
    await readings(2);
    let release: (content: Buffer) => void = () => {};
    const begun = new Promise<void>(resolve => {
      readSettled.mockImplementationOnce(() => {
        resolve();
        return new Promise(settle => (release = settle));
      });
    });
    const compile = CompiledPolicy.compile.bind(CompiledPolicy);
    const compiled = new Promise<void>(resolve => {
      jest.spyOn(CompiledPolicy, 'compile').mockImplementationOnce(async (...args) => {
        const policy = await compile(...args);
        resolve();
        return policy;
      });
    });
    await writeFile(file, bundleOf('ALLOW'));
    await begun;
    await source.close();
    release(bundleOf('ALLOW'));
    await compiled;
    await new Promise(setImmediate);
    expect(kind(source)).toBe('DENY');
    expect(logs.lines).toEqual([]);
  });

  it('keeps no process alive', async () => {
    await writeFile(file, bundleOf('ALLOW'));
    const script = `
      const { OpaWasmSource } = require('./src/sources/opa-wasm/source.ts');
      OpaWasmSource.load({ bundle: ${JSON.stringify(file)}, entrypoint: '${ENTRYPOINT}' }, 'embedded', console)
        .then(() => console.log('loaded'));`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--eval', script],
      { timeout: 30_000 },
    );
    expect(stdout).toBe('loaded\n');
  });
});
