/**
 * Under observe Backstage gets what it would get from a table whose only source is the answering
 * one, and the record is that of the table without observe; whatever the sources say.
 */
import type { PolicyDecision } from '@backstage/plugin-permission-common';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import fc from 'fast-check';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import type { DecisionRecord } from '../../src/trace/record';
import { permission } from '../fixtures/builders';
import { conditional } from '../support/hosted-policy';
import { startRouter } from '../support/router';

const RUNS = { numRuns: 80 };

const owned = { rule: 'IS_ENTITY_OWNER', resourceType: 'catalog-entity' };
const isKind = { rule: 'IS_ENTITY_KIND', resourceType: 'catalog-entity' };

/** What each hosted policy answers. */
const HOSTED: Readonly<Record<string, () => unknown>> = {
  allows: () => ({ result: 'ALLOW' }),
  denies: () => ({ result: 'DENY' }),
  abstains: () => ({ result: 'NOT_APPLICABLE' }),
  owners: () => conditional(owned),
  kinds: () => conditional(isKind),
  broken: () => ({ result: 'MAYBE' }),
  throws: () => Promise.reject(new Error('broken')),
};

const SOURCES = {
  ownership: { type: 'ownership', bypass: ['group:default/platform'] },
  ...Object.fromEntries(
    Object.keys(HOSTED).map(name => [
      name,
      // No breaker may open: each router must ask as often as the others.
      {
        type: 'hosted',
        timeout: '5m',
        circuitBreaker: { volumeThreshold: 1_000_000 },
      },
    ]),
  ),
};

const names = ['allow', 'deny', ...Object.keys(SOURCES)];

const route = fc.record({
  sources: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
  combine: fc.constantFrom('deny-overrides', 'allow-overrides', 'first-applicable'),
  default: fc.constantFrom('allow', 'deny'),
});

const PREFIXES = ['catalog', 'catalog.entity', 'catalog.entity.delete', 'other'];

const scene = fc.record({
  answer: fc.constantFrom(...names),
  fallback: fc.constantFrom('allow', 'deny'),
  routes: fc
    .uniqueArray(fc.constantFrom(...PREFIXES), { minLength: 1 })
    .chain(prefixes =>
      fc.tuple(...prefixes.map(prefix => route.map(each => ({ ...each, prefix })))),
    ),
  isOfRoutes: fc.boolean(),
});

const QUESTIONS = [
  permission('catalog.entity.delete', { resourceType: 'catalog-entity' }),
  permission('catalog.entity.read', { action: 'read', resourceType: 'catalog-entity' }),
  permission('catalog.location.create', { action: 'create' }),
  permission('unheard.of'),
];

const userOf = (...refs: string[]): PolicyQueryUser =>
  ({
    credentials: { principal: { type: 'user' } },
    info: { userEntityRef: 'user:default/olivia', ownershipEntityRefs: refs },
  }) as unknown as PolicyQueryUser;

const USERS = [
  undefined,
  userOf(),
  userOf('group:default/payments'),
  userOf('group:default/platform'),
];

interface Made {
  readonly decision: PolicyDecision;
  readonly record: Readonly<DecisionRecord>;
}

/** All users ask all questions. */
async function decisionsOf(table: object): Promise<Made[]> {
  const policies = new ProvidedPolicies();
  for (const [name, says] of Object.entries(HOSTED)) {
    policies.addSource(name, { handle: async () => (await says()) as never });
  }
  const records: Array<Readonly<DecisionRecord>> = [];
  let wake = (): void => {};
  const router = await startRouter(
    {
      anonymous: 'evaluate',
      deadline: '10m',
      verifyConditions: false,
      sources: SOURCES,
      ...table,
    },
    {
      policies,
      sinks: [
        record => {
          records.push(record);
          wake();
        },
      ],
    },
  );
  const made: Made[] = [];
  for (const user of USERS) {
    for (const asked of QUESTIONS) {
      const decision = await router.undelayed.handle({ permission: asked }, user);
      while (records.length === 0) await new Promise<void>(resolve => (wake = resolve));
      made.push({ decision, record: records.shift()! });
    }
  }
  router.close();
  return made;
}

/** What does not differ from run to run. */
const told = ({
  route: label,
  result,
  reason,
  conditions,
  sources,
}: DecisionRecord) => ({
  label,
  result,
  reason,
  conditions,
  sources: sources.map(({ milliseconds: _, ...source }) => source),
});

it('gives what the answering source would decide alone, and records what the table decides', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(scene, async ({ answer, fallback, routes, isOfRoutes }) => {
      const observe = { answer, until: '2999-01-31' };
      const observed = await decisionsOf({
        fallback,
        // That of a route wins.
        observe: isOfRoutes ? { ...observe, answer: 'deny' } : observe,
        routes: isOfRoutes ? routes.map(each => ({ ...each, observe })) : routes,
      });
      const enforced = await decisionsOf({ fallback, routes });
      const answering = await decisionsOf({
        fallback: 'deny',
        routes: [{ prefix: '', sources: [answer] }],
      });
      observed.forEach(({ decision, record }, index) => {
        expect(told(record)).toEqual(told(enforced[index]!.record));
        const isOfUser = record.user !== undefined;
        const isDenied = isOfRoutes && record.route === 'fallback';
        const alone = isDenied ? { result: 'DENY' } : answering[index]!.decision;
        expect(record.observed !== undefined).toBe(isOfUser);
        expect(decision).toEqual(isOfUser ? alone : enforced[index]!.decision);
        seen.add(`${record.result} ${decision.result}`);
      });
    }),
    RUNS,
  );
  expect(seen.size).toBe(9);
});
