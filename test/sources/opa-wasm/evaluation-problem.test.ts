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
    'the evaluation took more than 67108864 bytes of Wasm memory',
  ],
  [
    'the engine out of memory',
    new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded'),
    'the evaluation took more than 67108864 bytes of Wasm memory',
  ],
  ['another error', new RangeError('secret'), 'the evaluation broke (RangeError)'],
  ['another text', 'secret', 'the evaluation broke (string)'],
  ['another object', { message: 'secret' }, 'the evaluation broke (object)'],
  [
    'a message that is no text',
    { message: ['secret'] },
    'the evaluation broke (object)',
  ],
  ['undefined', undefined, 'the evaluation broke (undefined)'],
  [
    'a message around a known one',
    'secret: opa_malloc: failed',
    'the evaluation broke (string)',
  ],
])('names the problem and repeats nothing else: %s', (_what, thrown, problem) => {
  expect(evaluationProblem(thrown)).toBe(problem);
});
