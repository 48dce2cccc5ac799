import { evaluationProblem } from '../../../src/sources/opa-wasm/evaluation-problem';

const CONFLICT =
  'two rules contradict each other, at "policy.rego:8:1" (eval_conflict_error)';

it.each<[what: string, thrown: unknown, problem: string]>([
  ['a conflict', 'policy.rego:8:1: var assignment conflict', CONFLICT],
  [
    'a conflict in an error',
    new Error('policy.rego:8:1: var assignment conflict'),
    CONFLICT,
  ],
  [
    'a conflict of keys',
    { message: 'policy.rego:8:1: object insert conflict' },
    CONFLICT,
  ],
  [
    'a conflict in a file whose folders are not named',
    '/home/secret/policy.rego:8:1: var assignment conflict',
    CONFLICT,
  ],
  [
    'a missing built-in function',
    new Error('not implemented: built-in function 3: http.send'),
    'the policy calls http.send, a built-in function that the evaluator does not have',
  ],
  [
    'the allocator out of memory',
    'opa_malloc: failed',
    'the evaluation used more than 67108864 bytes of Wasm memory',
  ],
  [
    'the engine out of memory',
    new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded'),
    'the evaluation used more than 67108864 bytes of Wasm memory',
  ],
  ['another error', new RangeError('secret'), 'the evaluation failed (RangeError)'],
  ['another text', 'secret', 'the evaluation failed (string)'],
  ['another object', { message: 'secret' }, 'the evaluation failed (object)'],
  [
    'a message that is not a string',
    { message: ['secret'] },
    'the evaluation failed (object)',
  ],
  ['undefined', undefined, 'the evaluation failed (undefined)'],
  [
    'a message around a known one',
    'secret: opa_malloc: failed',
    'the evaluation failed (string)',
  ],
])('names the problem and repeats nothing else: %s', (_what, thrown, problem) => {
  expect(evaluationProblem(thrown)).toBe(problem);
});
