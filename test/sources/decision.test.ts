import type { Answer } from '../../src/answer';
import { MAX_DECISION_DEPTH, readDecision } from '../../src/sources/decision';

const parse = (value: unknown): Answer =>
  readDecision(value, { who: 'the policy', mayAbstain: true });

const leaf = { resourceType: 'catalog-entity', rule: 'IS_ENTITY_OWNER' };
const conditional = (changes: object = {}) => ({
  result: 'CONDITIONAL',
  pluginId: 'catalog',
  resourceType: 'catalog-entity',
  conditions: leaf,
  ...changes,
});

/** The verdict, or the code of the failure. */
function read(value: unknown): string {
  const answer = parse(value);
  if (answer.kind !== 'FAILED') return answer.kind;
  return `${answer.failure.class} ${answer.failure.code}`;
}

/** `not` around `inner` until the whole is `depth` objects and arrays deep. */
const nested = (depth: number, inner: unknown = leaf): unknown =>
  depth <= 2 ? inner : { not: nested(depth - 1, inner) };

describe('a decision', () => {
  it.each([
    ['ALLOW', { result: 'ALLOW' }],
    ['DENY', { result: 'DENY' }],
    ['NOT_APPLICABLE', { result: 'NOT_APPLICABLE' }],
    ['CONDITIONAL', conditional()],
    ['CONDITIONAL', conditional({ conditions: { ...leaf, params: {} } })],
    [
      'CONDITIONAL',
      conditional({ conditions: { ...leaf, params: { claims: ['a'] } } }),
    ],
    ['CONDITIONAL', conditional({ conditions: { allOf: [leaf] } })],
    ['CONDITIONAL', conditional({ conditions: { anyOf: [leaf, { not: leaf }] } })],
    ['CONDITIONAL', conditional({ conditions: { not: { allOf: [leaf, leaf] } } })],
  ])('is %s if it is %j', (kind, value) => {
    expect(read(value)).toBe(kind);
  });

  it('that is conditional is kept, with {} for missing params', () => {
    const given = { ...leaf, params: { claims: ['a', 'b'] } };
    const conditions = { anyOf: [given, { not: leaf }] };
    expect(parse(conditional({ conditions }))).toEqual({
      kind: 'CONDITIONAL',
      reason: 'the policy says CONDITIONAL',
      pluginId: 'catalog',
      resourceType: 'catalog-entity',
      conditions: { anyOf: [given, { not: { ...leaf, params: {} } }] },
    });
  });

  it.each([
    ['null', null],
    ['a boolean, as of `allow`', true],
    ['text', 'ALLOW'],
    ['a number', 1],
    ['a list', [{ result: 'ALLOW' }]],
    ['an empty object', {}],
    ['an older shape', { allow: true }],
    ['a wrapped answer', { result: { result: 'ALLOW' } }],
    ['another result', { result: 'PERMIT' }],
    ['lower case', { result: 'allow' }],
    ['white space', { result: 'ALLOW ' }],
    ['a boolean result', { result: true }],
    ['a result in a list', { result: ['ALLOW'] }],
    ['a result of null', { result: null }],
    ['a key besides ALLOW', { result: 'ALLOW', reason: 'x' }],
    ['a key besides DENY', { result: 'DENY', reason: 'x' }],
    ['a key besides NOT_APPLICABLE', { result: 'NOT_APPLICABLE', reason: 'x' }],
    ['conditions besides ALLOW', { ...conditional(), result: 'ALLOW' }],
    ['a prototype besides ALLOW', JSON.parse('{ "result": "ALLOW", "__proto__": {} }')],
    [
      'more in the prototype',
      Object.assign(Object.create({ more: 1 }), { result: 'ALLOW' }),
    ],
    ['a result in the prototype', JSON.parse('{ "__proto__": { "result": "ALLOW" } }')],
    ['an unknown key besides conditions', conditional({ reason: 'x' })],
    ['no pluginId', conditional({ pluginId: undefined })],
    ['an empty pluginId', conditional({ pluginId: '' })],
    ['no resourceType', conditional({ resourceType: undefined })],
    ['an empty resourceType', conditional({ resourceType: '' })],
    ['no conditions', conditional({ conditions: undefined })],
    ['conditions of null', conditional({ conditions: null })],
    ['a list of conditions', conditional({ conditions: [leaf] })],
    ['empty conditions', conditional({ conditions: {} })],
    ['an empty anyOf', conditional({ conditions: { anyOf: [] } })],
    ['an empty allOf', conditional({ conditions: { allOf: [] } })],
    [
      'an empty anyOf further down',
      conditional({ conditions: { not: { anyOf: [] } } }),
    ],
    ['an anyOf of one', conditional({ conditions: { anyOf: leaf } })],
    ['a not of several', conditional({ conditions: { not: [leaf] } })],
    ['two connectives', conditional({ conditions: { anyOf: [leaf], allOf: [leaf] } })],
    [
      'a connective next to a rule',
      conditional({ conditions: { ...leaf, anyOf: [leaf] } }),
    ],
    ['a rule without a name', conditional({ conditions: { ...leaf, rule: '' } })],
    ['a rule that is not a string', conditional({ conditions: { ...leaf, rule: 1 } })],
    ['a rule without a resource type', conditional({ conditions: { rule: 'R' } })],
    ['parameters in a list', conditional({ conditions: { ...leaf, params: ['a'] } })],
    ['parameters of null', conditional({ conditions: { ...leaf, params: null } })],
    ['an unknown key in a rule', conditional({ conditions: { ...leaf, name: 'x' } })],
    [
      'one bad rule among good ones',
      conditional({ conditions: { anyOf: [leaf, {}] } }),
    ],
  ])('is invalid if it is %s', (_what, value) => {
    expect(read(value)).toBe('invalid BAD_DECISION');
  });

  it.each([
    [
      'the words for an unknown result',
      { result: 'PERMIT' },
      'result must be "ALLOW", "DENY", "CONDITIONAL" or "NOT_APPLICABLE"',
    ],
    [
      'the shape for something else',
      true,
      'the decision must be an object such as {"result": "ALLOW"}, not boolean',
    ],
    [
      'the shape for null',
      null,
      'the decision must be an object such as {"result": "ALLOW"}, not null',
    ],
    [
      'the place and the shape for bad conditions',
      conditional({ conditions: { anyOf: [leaf], not: leaf } }),
      'conditions: must be {resourceType, rule, params}, or a group: a non-empty allOf or anyOf, or a not',
    ],
    [
      'the name of an unknown key, as one short line',
      { result: 'ALLOW', [`reason\n${'x'.repeat(1000)}`]: '' },
      `decision: unknown key "reason\\n${'x'.repeat(93)}…"`,
    ],
    [
      'the place of an empty group',
      conditional({ conditions: { anyOf: [] } }),
      expect.stringMatching(/^conditions\.anyOf: /) as unknown,
    ],
  ])('that is invalid is reported with %s', (_what, value, message) => {
    expect(parse(value)).toMatchObject({ failure: { message } });
  });
});

describe('a deeply nested decision', () => {
  it(`is read down to ${MAX_DECISION_DEPTH} levels`, () => {
    const conditions = nested(MAX_DECISION_DEPTH);
    expect(read(conditional({ conditions }))).toBe('CONDITIONAL');
  });

  it(`is refused below ${MAX_DECISION_DEPTH} levels`, () => {
    const conditions = nested(MAX_DECISION_DEPTH + 1);
    expect(read(conditional({ conditions }))).toBe('invalid TOO_DEEP');
  });

  it('is refused for its parameters too', () => {
    const conditions = { ...leaf, params: { deep: nested(MAX_DECISION_DEPTH) } };
    expect(read(conditional({ conditions }))).toBe('invalid TOO_DEEP');
  });

  it('is refused a hundred thousand levels deep', () => {
    let value: unknown = leaf;
    for (let level = 0; level < 100_000; level++) value = { anyOf: [value] };
    expect(read(conditional({ conditions: value }))).toBe('invalid TOO_DEEP');
  });

  it('is refused whatever its result', () => {
    expect(read({ result: nested(1000) })).toBe('invalid TOO_DEEP');
  });
});
