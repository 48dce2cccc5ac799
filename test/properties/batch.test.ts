/**
 * Any policy in a real OPA decides many questions in one request as it decides each by itself:
 * result, reason, conditions and failure.
 */
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import fc from 'fast-check';
import { batchRule } from '../../src/sources/opa/batch-rule';
import type { DecisionRecord } from '../../src/trace/record';
import { permission } from '../fixtures/builders';
import { applicable, decisionOf, DEFINITE } from '../support/hostile-decisions';
import { hostileText } from '../support/hostile-text';
import { startOpa, type OpaServer } from '../support/opa-server';
import { startRouter } from '../support/router';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const TYPE = 'catalog-entity';
const NAMES = ['a.read', 'a.update', 'b', 'c', 'd.e.f'];
const HOSTILE_NAMES = [
  '../../v1/policies',
  '"},"x":{',
  'a\\',
  'é\u2028',
  '${x}',
  'toString',
];
const USERS = ['user:default/dana', 'user:default/olivia', 'user:default/nolan'];
const GROUPS = ['group:default/payments', 'group:default/platform'];
const ACTIONS = ['read', 'update'];

/** When a rule of the policy applies, in Rego. */
const guard: fc.Arbitrary<string> = fc.oneof(
  ...[
    NAMES.map(name => `input.permission.name == ${JSON.stringify(name)}`),
    USERS.map(user => `input.identity.user == ${JSON.stringify(user)}`),
    GROUPS.map(group => `${JSON.stringify(group)} in input.identity.claims`),
    ACTIONS.map(action => `input.permission.attributes.action == "${action}"`),
    [
      `input.permission.resourceType == "${TYPE}"`,
      'input.permission.type == "basic"',
      'not input.permission.attributes.action',
      'not input.identity.user',
      // It would be true if a question saw the others, or the request.
      'count(input) != 2',
      'input.permissions',
      'count(input.identity.claims) == 0',
      'startswith(input.permission.name, "a.")',
      // As a rule that cannot be evaluated: an error of a built-in function is undefined.
      'to_number(input.permission.name) == 1',
      'true',
    ],
  ].map(guards => fc.constantFrom(...guards)),
);

const decision = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...DEFINITE).map(result => ({ result })) },
  { weight: 2, arbitrary: applicable(TYPE) },
  {
    weight: 2,
    arbitrary: fc.record({ result: fc.constantFrom(...DEFINITE), reason: hostileText }),
  },
  { weight: 2, arbitrary: decisionOf(TYPE) },
);

/** Rules that may all apply at once, which conflicts unless they agree; or the first that does. */
const policy = fc.record({
  isChain: fc.boolean(),
  rules: fc.array(
    fc.record({ guards: fc.array(guard, { minLength: 1, maxLength: 2 }), decision }),
    { minLength: 1, maxLength: 6 },
  ),
});
type Policy = typeof policy extends fc.Arbitrary<infer T> ? T : never;

const question = fc.record({
  user: fc.constantFrom(undefined, ...USERS),
  name: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...NAMES) },
    { weight: 1, arbitrary: fc.constantFrom(...HOSTILE_NAMES) },
  ),
  action: fc.constantFrom(undefined, ...ACTIONS),
  resourceType: fc.constantFrom(undefined, TYPE),
});
type Question = typeof question extends fc.Arbitrary<infer T> ? T : never;

const keyOf = (...parts: unknown[]): string => JSON.stringify(parts);

/** Of one to three users, and each question once. */
const questions = fc.uniqueArray(question, {
  minLength: 2,
  maxLength: 30,
  selector: ({ user, name, action, resourceType }) =>
    keyOf(user, name, action, resourceType),
});

/** The decisions are data, so that they need not be written in Rego. */
const regoOf = ({ isChain, rules }: Policy): string => {
  const heads = rules.map(
    ({ guards }, index) =>
      `:= data.decisions[${index}] if {\n\t${guards.join('\n\t')}\n}`,
  );
  return `package team\nimport rego.v1\n${
    isChain
      ? `decision ${heads.join(' else ')}`
      : heads.map(head => `decision ${head}`).join('\n')
  }\n`;
};

const settings = (baseUrl: string, batch: object): object => ({
  fallback: 'deny',
  deadline: '120s',
  sources: {
    opa: {
      type: 'opa',
      baseUrl,
      entrypoint: 'team/decision',
      timeout: '60s',
      // Nothing here is an outage, so nothing may open.
      onUnavailable: 'fail-open',
      ...batch,
    },
  },
  routes: [{ prefix: '', sources: ['opa'] }],
});

const userOf = (ref: string | undefined): PolicyQueryUser | undefined =>
  ref === undefined
    ? undefined
    : {
        credentials: { $$type: '@backstage/BackstageCredentials', principal: {} },
        info: {
          userEntityRef: ref,
          ownershipEntityRefs: [ref, ...GROUPS.slice(USERS.indexOf(ref))],
        },
      };

/** What must be equal, of the record of a decision. */
const essence = ({
  at: _at,
  milliseconds: _took,
  sources,
  ...rest
}: DecisionRecord): object => ({
  ...rest,
  sources: sources.map(
    ({
      milliseconds: _its,
      exchange: _exchange,
      batched: _batched,
      again: _again,
      ...said
    }) => said,
  ),
});

describeWithOpa('a batch', () => {
  let opa: OpaServer;

  const put = async (path: string, body: string): Promise<void> => {
    const answer = await fetch(`${opa.url}/v1/${path}`, { method: 'PUT', body });
    if (!answer.ok) throw new Error(await answer.text());
  };

  beforeAll(async () => {
    opa = await startOpa({ binary: requireOpa() });
    await put('policies/batch', batchRule('team/decision', 'policy_router/batch'));
  });

  afterAll(() => opa.stop());

  /** The record of each question, all asked at once. */
  async function recordsOf(
    asked: readonly Question[],
    batch: object,
  ): Promise<DecisionRecord[]> {
    const records = new Map<string, DecisionRecord>();
    const router = await startRouter(settings(opa.url, batch), {
      sinks: [
        record => {
          const { name, attributes, type } = record.permission!;
          const resourceType = type === 'resource' ? TYPE : undefined;
          const key = keyOf(record.user, name, attributes.action, resourceType);
          records.set(key, record);
        },
      ],
    });
    await Promise.all(
      asked.map(({ user, name, ...more }) =>
        router.decide({ permission: permission(name, more) }, userOf(user)),
      ),
    );
    router.close();
    return asked.map(({ user, name, action, resourceType }) => {
      const record = records.get(keyOf(user, name, action, resourceType));
      if (!record) throw new Error('a question has no record');
      return record;
    });
  }

  it('decides as each question does by itself', async () => {
    let batched = 0;
    let again = 0;
    const verdicts = new Set<string>();
    await fc.assert(
      fc.asyncProperty(policy, questions, async (generated, asked) => {
        const decisions = generated.rules.map(each => each.decision);
        await put('data/decisions', JSON.stringify(decisions));
        await put('policies/team', regoOf(generated));
        const alone = await recordsOf(asked, {});
        const together = await recordsOf(asked, { batch: 'policy_router/batch' });
        expect(together.map(essence)).toEqual(alone.map(essence));
        for (const { sources, result } of together) {
          const [said] = sources;
          if (said?.batched !== undefined) batched++;
          if (said?.again === 'failed') again++;
          verdicts.add(said?.failure?.code ?? said?.verdict ?? result);
        }
      }),
      { numRuns: 50 },
    );
    expect(batched).toBeGreaterThan(50);
    expect(again).toBeGreaterThan(0);
    expect([...verdicts]).toEqual(
      expect.arrayContaining([
        'ALLOW',
        'DENY',
        'NOT_APPLICABLE',
        'CONDITIONAL',
        'BAD_DECISION',
        'UNDEFINED_DECISION',
        'HTTP_500',
      ]),
    );
  });
});
