import { unpackBundle } from '../../../src/sources/opa-wasm/bundle';
import { CompiledPolicy } from '../../../src/sources/opa-wasm/compiled-policy';
import { evaluationProblem } from '../../../src/sources/opa-wasm/evaluation-problem';
import { Evaluator, MAX_GROWTH } from '../../../src/sources/opa-wasm/evaluator';
import {
  BREAKING_REGO,
  buildBundle,
  ENTRYPOINT,
  inputOf,
  ROLES,
  SECRET,
} from '../../support/tested-policy';
import { describeWithOpa } from '../../support/with-opa';

const ROOT = 'user:default/root';
const UNDEFINED = 'undefined';

describeWithOpa('an evaluator', () => {
  let policy: CompiledPolicy;
  let evaluator: Evaluator;
  beforeAll(async () => {
    const bundle = await buildBundle(BREAKING_REGO, ENTRYPOINT, ROLES);
    policy = await CompiledPolicy.compile(await unpackBundle(bundle), ENTRYPOINT);
  });
  beforeEach(() => {
    evaluator = new Evaluator(policy, ENTRYPOINT);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** The result, `undefined`, or what broke. */
  function answer(...question: Parameters<typeof inputOf>): string {
    let results: unknown;
    try {
      results = JSON.parse(evaluator.evaluate(inputOf(...question)));
    } catch (error) {
      return evaluationProblem(error);
    }
    const [first] = results as Array<{ result: { result: string } }>;
    return first?.result.result ?? UNDEFINED;
  }

  // Its instance traps for ever after 511 such errors.
  it('that breaks a thousand times in a row answers the questions in between right', () => {
    for (let index = 0; index < 1000; index++) {
      expect(answer('conflict')).toContain('contradict');
      expect(answer('allow')).toBe('ALLOW');
    }
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
      const fresh = evaluator.memoryBytes;
      expect(answer('allow')).toBe('ALLOW');
      expect(evaluator.memoryBytes).toBe(fresh);
      expect(answer('much memory')).toBe('ALLOW');
      expect(evaluator.memoryBytes).toBe(fresh);
      expect(answer('other', ROOT)).toBe('ALLOW');
      expect(answer('other')).toBe(UNDEFINED);
    });

    it('keeps the instance while there is no room for another', () => {
      const fresh = evaluator.memoryBytes;
      refuseInstances(1);
      expect(answer('much memory')).toBe('ALLOW');
      expect(evaluator.memoryBytes).toBeGreaterThan(fresh + MAX_GROWTH);
      expect(answer('other', ROOT)).toBe('ALLOW');
      expect(evaluator.memoryBytes).toBe(fresh);
    });

    it('breaks while no instance can be had after an error, and is right after that', () => {
      expect(answer('conflict')).toContain('contradict');
      refuseInstances(2);
      for (let time = 0; time < 2; time++) {
        expect(answer('allow')).toBe('the evaluation failed (RangeError)');
        expect(evaluator.memoryBytes).toBe(0);
      }
      expect(answer('allow')).toBe('ALLOW');
      expect(answer('other', ROOT)).toBe('ALLOW');
    });

    it('stays within the bound over 20,000 questions of all sizes', () => {
      const fresh = evaluator.memoryBytes;
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
        const given = answer(name, SECRET, groups.slice(0, many));
        if (name === 'conflict') expect(given).toContain('contradict');
        else expect(given).toBe('ALLOW');
        largest = Math.max(largest, evaluator.memoryBytes);
      }
      expect(largest).toBeLessThanOrEqual(fresh + MAX_GROWTH);
    });
  });
});
