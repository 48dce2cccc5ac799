/** The embedded Wasm policy: what breaks it, and what it may be asked. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_EVALUATION_MEMORY } from '../../../src/sources/opa-wasm/compiled-policy';
import { Evaluator } from '../../../src/sources/opa-wasm/evaluator';
import { MAX_INPUT_BYTES, OpaWasmSource } from '../../../src/sources/opa-wasm/source';
import { temporaryFolder } from '../../support/backend';
import { CapturedLogs } from '../../support/captured-logs';
import {
  BREAKING_REGO,
  buildBundle,
  ENTRYPOINT,
  request,
  ROLES,
  SECRET,
} from '../../support/tested-policy';
import { describeWithOpa } from '../../support/with-opa';

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
  for (const source of open.splice(0)) await source.close();
  await rm(folder, { recursive: true });
});

async function sourceOf(bundle: Buffer): Promise<OpaWasmSource> {
  await writeFile(file, bundle);
  const source = await OpaWasmSource.load(
    { bundle: file, entrypoint: ENTRYPOINT },
    'embedded',
    logs.logger(),
  );
  open.push(source);
  return source;
}

describeWithOpa('a Wasm policy', () => {
  let bundle: Buffer;
  let source: OpaWasmSource;
  beforeAll(async () => {
    bundle = await buildBundle(BREAKING_REGO, ENTRYPOINT, ROLES);
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
        `the evaluation used more than ${MAX_EVALUATION_MEMORY} bytes of Wasm memory`,
      ],
      ['deep', 'the evaluation failed (RangeError)'],
      ['bad pattern', 'the evaluation failed (SyntaxError)'],
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
});

describe('a bundle that cannot be used', () => {
  it('is an error that says why', async () => {
    await writeFile(file, 'hello');
    const options = { bundle: file, entrypoint: ENTRYPOINT };
    await expect(
      OpaWasmSource.load(options, 'embedded', logs.logger()),
    ).rejects.toThrow(
      `the bundle '${file}' cannot be used: it is not a gzip file (Z_DATA_ERROR)`,
    );
  });
});
