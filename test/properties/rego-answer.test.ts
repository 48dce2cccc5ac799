import fc from 'fast-check';
import type { Answer } from '../../src/answer';
import { regoAnswer } from '../../src/sources/rego/answer';
import { hostileText } from '../support/hostile-text';

const parse = (value: unknown): Answer => regoAnswer(value);

const leaf = fc.record(
  {
    resourceType: fc.string({ minLength: 1 }),
    rule: fc.string({ minLength: 1 }),
    params: fc.dictionary(fc.string(), fc.jsonValue()).filter(withoutProto),
  },
  { requiredKeys: ['resourceType', 'rule'] },
);
const { conditions } = fc.letrec<{ conditions: object }>(tie => {
  const group = fc.array(tie('conditions'), { minLength: 1, maxLength: 3 });
  return {
    conditions: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      leaf,
      group.map(allOf => ({ allOf })),
      group.map(anyOf => ({ anyOf })),
      tie('conditions').map(not => ({ not })),
    ),
  };
});
const conditionalDecision = fc.record({
  result: fc.constant('CONDITIONAL'),
  pluginId: fc.string({ minLength: 1 }),
  resourceType: fc.string({ minLength: 1 }),
  conditions,
});
const definitive = fc.constantFrom('ALLOW', 'DENY', 'NOT_APPLICABLE');
const validDecision = fc.oneof(
  definitive.map(result => ({ result })),
  conditionalDecision,
);

/** Zod drops this key from records, which another test covers. */
function withoutProto(record: Record<string, unknown>): boolean {
  return !JSON.stringify(record).includes('__proto__');
}

/** Almost decisions: one value or key is wrong, missing, added or renamed. */
const mutated = fc
  .tuple(
    validDecision,
    fc.nat(),
    fc.oneof(fc.jsonValue(), fc.constantFrom('ALLOW', 'allow', ' ALLOW', {}, [], null)),
    fc.constantFrom('replace', 'delete', 'add', 'rename'),
  )
  .map(([decision, seed, value, how]) => {
    const copy = structuredClone(decision) as unknown as Record<string, unknown>;
    const objects = objectsOf(copy);
    const target = objects[seed % objects.length]!;
    const keys = Object.keys(target);
    const key = keys[seed % keys.length] ?? 'result';
    if (how === 'replace') target[key] = value;
    if (how === 'delete' || how === 'rename') delete target[key];
    if (how === 'rename') target[`${key}s`] = value;
    if (how === 'add') target.extra = value;
    // Through JSON again, so that lists have no holes and no keys.
    return JSON.parse(JSON.stringify(copy)) as Record<string, unknown>;
  });

const objectsOf = (value: unknown): Array<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
    ? [value as Record<string, unknown>, ...Object.values(value).flatMap(objectsOf)]
    : [];

const anyDecision = fc.oneof(
  fc.anything({
    withNullPrototype: true,
    withDate: true,
    withMap: true,
    withSet: true,
  }),
  fc.jsonValue(),
  fc.record(
    { result: fc.oneof(definitive, fc.jsonValue()), conditions: fc.jsonValue() },
    { requiredKeys: [] },
  ),
  definitive,
  definitive.map(result => [{ result }]),
  definitive.map(result => ({ result: { result } })),
  mutated,
  validDecision,
);

/** Whether the value has this result and nothing else. */
const says = (value: unknown, result: string): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.keys(value).length === 1 &&
  (value as { result?: unknown }).result === result;

describe('any answer of a Rego policy', () => {
  it('is ALLOW, DENY or NOT_APPLICABLE exactly if it says only that', () => {
    fc.assert(
      fc.property(anyDecision, value => {
        const { kind } = parse(value);
        for (const result of ['ALLOW', 'DENY', 'NOT_APPLICABLE'])
          expect(kind === result).toBe(says(value, result));
      }),
      { numRuns: 1000 },
    );
  });

  it('is a verdict or an invalid answer, and never throws', () => {
    fc.assert(
      fc.property(anyDecision, value => {
        const answer = parse(value);
        if (answer.kind === 'FAILED') {
          expect(answer.failure.class).toBe('invalid');
          expect(answer.failure.code).toMatch(
            /^(UNDEFINED_DECISION|TOO_DEEP|BAD_DECISION)$/,
          );
          expect(answer.failure.message).not.toBe('');
        } else {
          expect(['ALLOW', 'DENY', 'NOT_APPLICABLE', 'CONDITIONAL']).toContain(
            answer.kind,
          );
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is the same with a reason, of which the record shows one plain line', () => {
    fc.assert(
      fc.property(validDecision, hostileText, (decision, reason) => {
        const { reason: plain, ...without } = parse(decision) as { reason: string };
        const { reason: shown, ...explained } = parse({ ...decision, reason }) as {
          reason: string;
        };
        expect(explained).toEqual(without);
        const added = shown.slice(plain.length);
        expect(shown.startsWith(plain)).toBe(true);
        expect(added).toMatch(/^(: \S(.*\S)?)?$/u);
        expect(added).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(added.length).toBeLessThanOrEqual(': '.length + 500);
      }),
      { numRuns: 1000 },
    );
  });

  it('is kept if it is a condition, with {} for missing params', () => {
    const filled = (criteria: object): object => {
      const [[key, value] = ['', undefined], ...others] = Object.entries(criteria);
      if (others.length > 0) return { params: {}, ...criteria };
      return {
        [key]: Array.isArray(value)
          ? value.map(child => filled(child as object))
          : filled(value as object),
      };
    };
    fc.assert(
      fc.property(conditionalDecision, value => {
        const { result, ...rest } = value;
        expect(parse(value)).toEqual({
          kind: result,
          reason: 'the Rego policy says CONDITIONAL',
          ...rest,
          conditions: filled(value.conditions),
        });
      }),
      { numRuns: 500 },
    );
  });

  it('is conditional only if every part is valid', () => {
    const isLeaf = (value: Record<string, unknown>): boolean =>
      Object.keys(value).every(key =>
        ['resourceType', 'rule', 'params'].includes(key),
      ) &&
      typeof value.rule === 'string' &&
      value.rule !== '' &&
      typeof value.resourceType === 'string' &&
      value.resourceType !== '' &&
      (!('params' in value) || isRecord(value.params));
    const isRecord = (value: unknown): value is Record<string, unknown> =>
      typeof value === 'object' && value !== null && !Array.isArray(value);
    const isTree = (value: unknown): boolean => {
      if (!isRecord(value)) return false;
      const [key, ...others] = Object.keys(value);
      if (others.length > 0 || !['allOf', 'anyOf', 'not'].includes(key!))
        return isLeaf(value);
      const children = value[key!];
      if (key === 'not') return isTree(children);
      return Array.isArray(children) && children.length > 0 && children.every(isTree);
    };
    fc.assert(
      fc.property(mutated, value => {
        const isConditional =
          Object.keys(value).sort().join() ===
            'conditions,pluginId,resourceType,result' &&
          value.result === 'CONDITIONAL' &&
          typeof value.pluginId === 'string' &&
          value.pluginId !== '' &&
          typeof value.resourceType === 'string' &&
          value.resourceType !== '' &&
          isTree(value.conditions);
        const answer = parse(value);
        const tooDeep = answer.kind === 'FAILED' && answer.failure.code === 'TOO_DEEP';
        expect(answer.kind === 'CONDITIONAL').toBe(isConditional && !tooDeep);
      }),
      { numRuns: 1000 },
    );
  });

  it('is not quoted when it is refused, because parameters may be private', () => {
    const secret = 'hunter2';
    const withSecret = fc.constantFrom(
      { result: secret },
      { result: 'CONDITIONAL', pluginId: [secret], resourceType: secret },
      {
        result: 'CONDITIONAL',
        pluginId: 'catalog',
        resourceType: 'catalog-entity',
        conditions: { rule: 'R', resourceType: 'catalog-entity', params: secret },
      },
      secret,
      [secret],
    );
    fc.assert(
      fc.property(withSecret, value => {
        expect(JSON.stringify(parse(value))).not.toContain(secret);
      }),
    );
  });
});
