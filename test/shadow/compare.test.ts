/** Which results are the same. */
import type { Chain } from '../../src/guard/chain';
import { Deadline } from '../../src/lib/deadline';
import { compare } from '../../src/shadow/compare';
import type { DecisionRecord } from '../../src/trace/record';
import type { Conditions } from '../../src/verdict';
import { all, ALLOW, any, not, permission, request, rule } from '../fixtures/builders';
import { recordOf, sourceOf, failure } from '../support/records';

const [A, B] = [rule('a'), rule('b')];

const conditionalOf = (conditions: Conditions, pluginId = 'catalog') => ({
  result: 'CONDITIONAL' as const,
  pluginId,
  conditions,
});

async function outcomeOf(
  live: Partial<DecisionRecord>,
  other: Partial<DecisionRecord>,
): Promise<string> {
  const chain = { ask: () => ({ verdict: ALLOW }) } as unknown as Chain;
  const leg = { name: 'next', chain, aside: chain, shadow: chain };
  const outcome = await compare(
    {
      route: { combine: 'deny-overrides', default: 'deny' },
      request: request(permission('tested')),
      record: recordOf(live),
      answers: new Map(),
      decide: async (_route, record) => void Object.assign(record, other),
    },
    { replaced: 'opa', by: 'next', percent: 100, legs: [leg] },
    new Deadline(1000),
    () => false,
  );
  return outcome.kind === 'undetermined' ? outcome.why : outcome.kind;
}

it.each<[what: string, live: Partial<DecisionRecord>, other: Partial<DecisionRecord>]>([
  ['results', { result: 'DENY' }, { result: 'DENY', reason: 'another' }],
  ['conditions', conditionalOf(A), conditionalOf(rule('a'))],
  ['in another order', conditionalOf(all(A, B)), conditionalOf(all(B, A))],
  [
    'with keys in another order',
    conditionalOf(rule('c', { params: { x: 1, y: 2 } })),
    conditionalOf(rule('c', { params: { y: 2, x: 1 } })),
  ],
  [
    'written with more groups',
    conditionalOf(any(A, B)),
    conditionalOf(any(B, any(A, not(not(B))))),
  ],
])('the same %s are the same', async (_what, live, other) => {
  expect(await outcomeOf(live, other)).toBe('same');
});

it.each<[what: string, live: Partial<DecisionRecord>, other: Partial<DecisionRecord>]>([
  ['another result', { result: 'DENY' }, { result: 'ALLOW' }],
  ['conditions in place of a result', { result: 'ALLOW' }, conditionalOf(A)],
  ['another condition', conditionalOf(A), conditionalOf(B)],
  ['another connective', conditionalOf(all(A, B)), conditionalOf(any(A, B))],
  ['another plugin', conditionalOf(A), conditionalOf(A, 'scaffolder')],
  [
    'another order in a parameter',
    conditionalOf(rule('c', { params: { x: ['p', 'q'] } })),
    conditionalOf(rule('c', { params: { x: ['q', 'p'] } })),
  ],
])('%s is different', async (_what, live, other) => {
  expect(await outcomeOf(live, other)).toBe('differs');
});

it.each<[what: string, outcome: string, live: Partial<DecisionRecord>]>([
  [
    'after a failure of a source',
    'live_failure',
    { sources: [sourceOf({ failure: failure('invalid', 'THREW') })] },
  ],
  [
    'after a failure of the router',
    'live_failure',
    { failure: failure('invalid', 'INTERNAL') },
  ],
  [
    'but after too large conditions',
    'same',
    { failure: failure('invalid', 'CONDITIONS_TOO_LARGE') },
  ],
])('%s it is %s', async (_what, outcome, live) => {
  expect(await outcomeOf({ result: 'DENY', ...live }, { result: 'DENY' })).toBe(
    outcome,
  );
});
