/** Each exit of docs/decision-flow.md has a sentence that is understood without the record. */
import { readFileSync } from 'node:fs';
import type {
  PermissionPolicy,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import type { RuleMetadata } from '../../src/conditions/rule-metadata';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { eventLoop } from '../../src/lib/event-loop';
import { Turns } from '../../src/lib/turns';
import { OwnershipSource } from '../../src/sources/ownership/source';
import { newRecord, type DecisionRecord } from '../../src/trace/record';
import { generalSentence, sentenceOf } from '../../src/trace/sentence';
import { permission, rule } from '../fixtures/builders';
import { pass, resumeClock, stopClock } from '../support/clock';
import { checkLine } from '../support/fuzzed-router';
import { assumeIdleLoop } from '../support/idle-loop';
import { startRouter, type TestRouter } from '../support/router';
import { none, published, unread } from '../support/rule-directory';
import {
  answer,
  decision,
  silence,
  startStub,
  type Behaviour,
  type StubServer,
} from '../support/stub-server';

assumeIdleLoop();

let opa: StubServer;
/** Nothing listens there any more. */
let gone: string;

beforeAll(async () => {
  opa = await startStub(silence);
  const stopped = await startStub(silence);
  gone = stopped.url;
  await stopped.stop();
});

afterAll(() => opa.stop());

const userOf = (...refs: string[]): PolicyQueryUser =>
  ({
    credentials: { principal: { type: 'user' } },
    info: { userEntityRef: 'user:default/olivia', ownershipEntityRefs: refs },
  }) as unknown as PolicyQueryUser;

const olivia = userOf('user:default/olivia', 'group:default/search');

const onEntity = permission('catalog.entity.delete', {
  action: 'delete',
  resourceType: 'catalog-entity',
});

const byName = permission('catalog.entity.delete');

interface Situation {
  readonly config?: object;
  readonly sources?: object;
  /** Of the one route. */
  readonly route?: object;
  /** What the OPA server does. */
  readonly opa?: Behaviour;
  /** What the hosted policy `team` does. */
  readonly team?: PermissionPolicy['handle'];
  readonly rules?: RuleMetadata;
  /** What is declared by the plugin `catalog`; nothing is read by default. */
  readonly declared?: readonly object[];
  readonly asked?: unknown;
  readonly user?: PolicyQueryUser | null;
  /** Default: one decision. */
  readonly ask?: (
    router: TestRouter,
    decide: () => Promise<unknown>,
  ) => Promise<Readonly<DecisionRecord> | void>;
}

const opaAt = (baseUrl: string | string[], more: object = {}): object => ({
  type: 'opa',
  baseUrl,
  entrypoint: 'a/b',
  timeout: '30s',
  ...more,
});

/** The record of the last decision in this situation. */
async function recordIn(situation: Situation): Promise<Readonly<DecisionRecord>> {
  const { team, declared, asked = onEntity, user = olivia } = situation;
  const policies = new ProvidedPolicies();
  if (team) policies.addSource('team', { handle: team });
  if (situation.opa) opa.become(situation.opa);
  const body = { permissions: declared, rules: [] };
  const router = await startRouter(
    {
      fallback: 'deny',
      deadline: '5m',
      verifyConditions: situation.rules ? true : false,
      sources: {
        opa: opaAt(opa.url),
        ownership: { type: 'ownership', bypass: ['group:default/platform'] },
        ...(team ? { team: { type: 'hosted', timeout: '30s' } } : {}),
        ...situation.sources,
      },
      routes: [{ prefix: 'catalog', sources: ['opa'], ...situation.route }],
      ...situation.config,
    },
    {
      policies,
      readRules: () => Promise.resolve(situation.rules ?? unread),
      ...(declared
        ? {
            plugins: {
              installed: () => Promise.resolve(['catalog']),
              read: () => Promise.resolve({ kind: 'published', body }),
            } as never,
          }
        : {}),
    },
  );
  // Until what is declared has been read.
  if (declared) await new Promise(resolve => setImmediate(resolve));
  const decide = (): Promise<unknown> =>
    router.decide({ permission: asked } as never, user ?? undefined);
  try {
    const record = await (situation.ask ?? (() => decide()))(router, decide);
    return isRecord(record) ? record : router.record!;
  } finally {
    router.close();
  }
}

const isRecord = (value: unknown): value is DecisionRecord =>
  typeof value === 'object' && value !== null && 'sources' in value;

/** Ports and times differ from run to run. */
const plain = (sentence: string): string =>
  sentence
    .replace(/(127\.0\.0\.1):\d+/g, '$1:PORT')
    .replace(/(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d UTC/g, 'TIME');

const owner = rule('IS_ENTITY_OWNER', { params: { claims: ['group:default/search'] } });
const notProtected = {
  not: rule('HAS_ANNOTATION', { params: { annotation: 'example.com/protected' } }),
};
const when = (conditions: unknown, more: object = {}): object => ({
  result: 'CONDITIONAL',
  pluginId: 'catalog',
  resourceType: 'catalog-entity',
  conditions,
  ...more,
});
const says =
  (result: unknown): PermissionPolicy['handle'] =>
  () =>
    Promise.resolve(result as never);
const never = (): Promise<never> => new Promise(() => {});
const twice = async (
  _router: TestRouter,
  decide: () => Promise<unknown>,
): Promise<void> => {
  await decide();
  await decide();
};

/** A hosted policy takes so much of the deadline that too little is left for OPA. */
const slowTeam = (
  milliseconds: number,
  ask: (decide: () => Promise<unknown>) => Promise<unknown>,
): Situation => ({
  team: async () => {
    jest.advanceTimersByTime(milliseconds);
    return { result: 'NOT_APPLICABLE' } as never;
  },
  opa: silence,
  config: { deadline: '1m' },
  sources: {
    team: { type: 'hosted', timeout: '50s' },
    opa: opaAt('OPA', { timeout: '50s' }),
  },
  route: { sources: ['team', 'opa'] },
  ask: async (_router, decide) => {
    stopClock();
    try {
      await ask(decide);
    } finally {
      resumeClock();
    }
  },
});

const observe = (answer: string): Situation => ({
  team: says({ result: 'ALLOW' }),
  config: { observe: { answer, until: '2999-01-31' } },
  route: { sources: ['ownership'] },
  asked: permission('catalog.location.read', { action: 'read' }),
});
/** Until it is recorded. */
const recordedLater = async (
  router: TestRouter,
  decide: () => Promise<unknown>,
): Promise<void> => {
  await decide();
  while (!router.record) await new Promise(resolve => setImmediate(resolve));
};

/** The sentence, and by what of the diagram in docs/decision-flow.md it is reached. */
const EXITS: ReadonlyArray<[exit: string, sentence: string, situation: Situation]> = [
  [
    'neither basic nor for a resource type',
    'DENY before a route was looked for: the request is invalid: the permission has no name',
    { asked: { type: 'basic', attributes: {} } },
  ],
  [
    'neither basic nor for a resource type',
    'DENY before a route was looked for: the request is invalid: the permission is neither a basic permission nor a resource permission with a resource type',
    { asked: { ...onEntity, type: 'odd' } },
  ],
  [
    'no user, anonymous: deny',
    'DENY before a route was looked for: the request has no user (anonymous: deny)',
    { user: null },
  ],
  [
    'no user, anonymous: evaluate',
    "DENY by 'catalog': 'ownership': the user has no ownership refs",
    {
      user: null,
      config: { anonymous: 'evaluate' },
      route: { sources: ['ownership'] },
    },
  ],
  [
    'no identity within the deadline, or not readable',
    'DENY before a route was looked for: the identity of the user could not be obtained',
    { user: { credentials: {} } as never },
  ],
  [
    'no identity within the deadline, or not readable',
    'DENY before a route was looked for: the identity of the user is incomplete',
    { user: { credentials: {}, info: {} } as never },
  ],
  [
    'no turn within the deadline',
    'DENY before a route was looked for: the deadline passed in the wait for a turn: too many decisions were asked for at once [NO_TURN]',
    {
      ask: async (_router, decide) => {
        stopClock();
        const run = jest
          .spyOn(Turns.prototype, 'run')
          .mockImplementation((_group, work) => {
            jest.advanceTimersByTime(600_000);
            return work(true);
          });
        try {
          await decide();
        } finally {
          run.mockRestore();
          resumeClock();
        }
      },
    },
  ],
  [
    'no route matches',
    "DENY by the fallback: no route matches; nearest: 'catalog.entity' [update]",
    {
      asked: permission('catalog.entity.create', { action: 'create' }),
      config: {
        routes: [
          { prefix: 'catalog.entity', actions: ['update'], sources: ['deny'] },
          { prefix: 'catalog.location', sources: ['deny'] },
        ],
      },
    },
  ],
  [
    'no route matches',
    'ALLOW by the fallback: no route matches; it was asked by name only, and what its plugin declares has not been read',
    { config: { fallback: 'allow' }, asked: permission('todo.read') },
  ],
  [
    'throws, or its evaluation fails',
    "DENY by 'catalog': 'ownership' is invalid: the source threw TypeError; an invalid answer always counts as DENY",
    {
      route: { sources: ['ownership'] },
      ask: async (_router, decide) => {
        const ask = jest
          .spyOn(OwnershipSource.prototype, 'ask')
          .mockImplementation(() => {
            throw new TypeError('secret');
          });
        try {
          await decide();
        } finally {
          ask.mockRestore();
        }
      },
    },
  ],
  [
    'source closed',
    "DENY by 'catalog': 'opa' is invalid: the source has been closed; an invalid answer always counts as DENY",
    {
      ask: async (router, decide) => {
        router.close();
        await decide();
      },
    },
  ],
  [
    'circuit breaker open',
    "DENY by 'catalog': 'opa' is unavailable since TIME: OPA could not be reached (ECONNREFUSED 127.0.0.1:PORT), circuit breaker open; fail-closed; no standby",
    {
      sources: { opa: opaAt('GONE', { circuitBreaker: { volumeThreshold: 1 } }) },
      ask: twice,
    },
  ],
  [
    'every slot hangs',
    "DENY by 'catalog': 'team' is overloaded: every call that may be under way has outlasted the timeout and is still running [HUNG]; an overload always counts as DENY; no standby",
    {
      team: never,
      sources: { team: { type: 'hosted', timeout: '20ms', concurrency: 1 } },
      route: { sources: ['team'] },
      ask: twice,
    },
  ],
  [
    'same question in flight',
    "ALLOW by 'catalog': 'opa': the Rego policy says ALLOW",
    {
      opa: decision({ result: 'ALLOW' }),
      ask: async (_router, decide) => {
        await Promise.all([decide(), decide()]);
      },
    },
  ],
  [
    'queue full',
    "DENY by 'catalog': 'team' is overloaded: too many questions wait for this source [QUEUE_FULL]; an overload always counts as DENY; no standby",
    {
      team: never,
      sources: { team: { type: 'hosted', timeout: '50ms', concurrency: 1, queue: 0 } },
      route: { sources: ['team'] },
      ask: async (router, decide) => {
        const first = decide();
        await decide();
        const record = router.record;
        await first;
        return record;
      },
    },
  ],
  [
    'waited too long for a slot',
    "DENY by 'catalog': 'team' is overloaded: too little time was left to put the question [NO_TIME_LEFT]; an overload always counts as DENY; no standby",
    {
      team: never,
      sources: { team: { type: 'hosted', timeout: '50ms', concurrency: 1, queue: 1 } },
      route: { sources: ['team'] },
      ask: async (router, decide) => {
        const first = decide();
        await decide();
        const record = router.record;
        await first;
        return record;
      },
    },
  ],
  [
    'less than half of the timeout left',
    "DENY by 'catalog': 'opa' is overloaded: too little time was left to put the question [NO_TIME_LEFT]; an overload always counts as DENY; no standby",
    slowTeam(40_000, decide => decide()),
  ],
  [
    'no answer within the timeout',
    "DENY by 'catalog': 'opa' is unavailable since TIME: no answer within 30 ms [TIMEOUT]; fail-closed; no standby",
    { opa: silence, sources: { opa: opaAt('OPA', { timeout: '30ms' }) } },
  ],
  [
    'no answer in what queue, deadline left',
    "DENY by 'catalog': 'opa' is overloaded: no answer within the 40000 ms that the queue and the deadline left [CUT_SHORT]; an overload always counts as DENY; no standby",
    slowTeam(20_000, async decide => {
      const before = opa.requests();
      const decided = decide();
      await opa.untilRequests(before + 1);
      await pass(40_000);
      await decided;
    }),
  ],
  [
    'this process stalled',
    "DENY by 'catalog': 'opa' is overloaded: this process was too busy to receive the answer [STALLED]; an overload always counts as DENY; no standby",
    {
      sources: { opa: opaAt('GONE') },
      ask: async (_router, decide) => {
        let blocked = 0;
        Object.defineProperty(eventLoop, 'blocked', {
          configurable: true,
          get: () => (blocked += 1e6),
        });
        await decide();
      },
    },
  ],
  [
    'connection lost, HTTP 502, 503, 504',
    "DENY by 'catalog': 'opa' is unavailable since TIME: OPA could not be reached (ECONNREFUSED 127.0.0.1:PORT); fail-closed; no standby",
    { sources: { opa: opaAt('GONE') } },
  ],
  [
    'connection lost, HTTP 502, 503, 504',
    "DENY by 'catalog': 'opa' is unavailable since TIME: OPA could not be reached (ENOENT /no/such.sock); fail-closed; no standby",
    { sources: { opa: opaAt('unix:/no/such.sock') } },
  ],
  [
    'connection lost, HTTP 502, 503, 504',
    "ALLOW by 'catalog': 'opa' is unavailable since TIME: OPA could not be reached (UND_ERR_SOCKET 127.0.0.1:PORT); fail-open; no standby",
    { opa: socket => socket.destroy(), route: { onUnavailable: 'fail-open' } },
  ],
  [
    'connection lost, HTTP 502, 503, 504',
    "DENY by 'catalog': 'opa' is unavailable since TIME: OPA answered HTTP 503; fail-closed; no standby",
    { opa: answer('{}', '503 Service Unavailable') },
  ],
  [
    'HTTP 429',
    "DENY by 'catalog': 'opa' is overloaded: OPA answered HTTP 429; an overload always counts as DENY; no standby",
    {
      opa: answer('{}', '429 Too Many Requests'),
      route: { onUnavailable: 'fail-open' },
    },
  ],
  [
    'other HTTP status, unknown transport error',
    "DENY by 'catalog': 'opa' is invalid: OPA answered HTTP 500 (eval_conflict_error); an invalid answer always counts as DENY",
    {
      opa: answer(
        '{"code":"internal_error","errors":[{"code":"eval_conflict_error"}]}',
        '500 Internal Server Error',
      ),
    },
  ],
  [
    'other HTTP status, unknown transport error',
    "DENY by 'catalog': 'opa' is invalid: the request to OPA failed (HTTPParserError 127.0.0.1:PORT); an invalid answer always counts as DENY",
    { opa: socket => socket.end('nonsense\r\n\r\n') },
  ],
  [
    'not JSON, undefined, wrong shape, too big',
    "DENY by 'catalog': 'opa' is invalid: the response must be a JSON object in UTF-8 without repeated keys [BAD_JSON]; an invalid answer always counts as DENY",
    { opa: answer('nonsense') },
  ],
  [
    'not JSON, undefined, wrong shape, too big',
    `DENY by 'catalog': 'opa' is invalid: the decision is undefined: is the entrypoint right, is the bundle active? A policy abstains with {"result": "NOT_APPLICABLE"} [UNDEFINED_DECISION]; an invalid answer always counts as DENY`,
    { opa: answer('{}') },
  ],
  [
    'not JSON, undefined, wrong shape, too big',
    `DENY by 'catalog': 'opa' is invalid: result must be "ALLOW", "DENY", "CONDITIONAL" or "NOT_APPLICABLE" [BAD_DECISION]; an invalid answer always counts as DENY`,
    { opa: decision({ result: 'PERHAPS' }) },
  ],
  [
    'not JSON, undefined, wrong shape, too big',
    "DENY by 'catalog': 'opa' is invalid: the response is larger than maxResponseBytes [OVERSIZED]; an invalid answer always counts as DENY",
    {
      opa: decision({ result: 'ALLOW' }),
      sources: { opa: opaAt('OPA', { maxResponseBytes: 10 }) },
    },
  ],
  [
    'a hosted policy throws',
    "DENY by 'catalog': 'team' is invalid: the source threw TypeError; an invalid answer always counts as DENY",
    {
      team: () => Promise.reject(new TypeError('secret')),
      route: { sources: ['team'] },
    },
  ],
  [
    'too large, or Backstage would refuse them',
    "DENY by 'catalog': 'opa' is invalid: conditions of 103 bytes, more than maxConditionBytes (50) [CONDITIONS_TOO_LARGE]; an invalid answer always counts as DENY",
    { config: { maxConditionBytes: 50 }, opa: decision(when(owner)) },
  ],
  [
    'too large, or Backstage would refuse them',
    `DENY by 'catalog': 'opa' is invalid: conditions for resource type "other", not "catalog-entity" [BAD_CONDITIONS]; an invalid answer always counts as DENY`,
    { opa: decision(when(owner, { resourceType: 'other' })) },
  ],
  [
    'unknown plugin or rule, bad parameters',
    `DENY by 'catalog': 'opa' is invalid: plugin "catalog" publishes no permission rules (HTTP 404) [UNKNOWN_PLUGIN]; an invalid answer always counts as DENY`,
    { rules: none, opa: decision(when(owner)) },
  ],
  [
    'unknown plugin or rule, bad parameters',
    `DENY by 'catalog': 'opa' is invalid: plugin "catalog" has no rule "IS_ENTITY_OWNER" for resource type "catalog-entity" [UNKNOWN_RULE]; an invalid answer always counts as DENY`,
    { rules: published(), opa: decision(when(owner)) },
  ],
  [
    'rules not readable, verification required',
    `DENY by 'catalog': 'opa' is invalid: conditions could not be verified: the rules of plugin "catalog" could not be read (HTTP 503) [UNVERIFIED]; an invalid answer always counts as DENY`,
    {
      rules: unread,
      config: { verifyConditions: 'required' },
      opa: decision(when(owner)),
    },
  ],
  [
    'unavailable, overloaded',
    "ALLOW by 'catalog': 'opa': the policy says ALLOW; said by standby 'team', as 'opa' is unavailable since TIME: OPA could not be reached (ECONNREFUSED 127.0.0.1:PORT)",
    {
      team: says({ result: 'ALLOW' }),
      sources: { opa: opaAt('GONE', { standby: 'team' }) },
    },
  ],
  [
    'unavailable, overloaded',
    "DENY by 'catalog': 'opa': the Rego policy says DENY: frozen; said by 'opa' at http://127.0.0.1:PORT, as 'opa' at http://127.0.0.1:PORT is unavailable since TIME: OPA could not be reached (ECONNREFUSED 127.0.0.1:PORT)",
    {
      opa: decision({ result: 'DENY', reason: 'frozen' }),
      sources: { opa: opaAt('GONE,OPA') },
    },
  ],
  [
    'unavailable, overloaded',
    "DENY by 'catalog': 'opa' is unavailable since TIME: OPA could not be reached (ECONNREFUSED 127.0.0.1:PORT); standby 'ownership' abstains; fail-closed",
    {
      sources: { opa: opaAt('GONE', { standby: 'ownership' }) },
      route: { onUnavailable: 'fail-closed' },
      asked: permission('catalog.x'),
    },
  ],
  [
    'unavailable, overloaded',
    `DENY by 'catalog': 'opa' at http://127.0.0.1:PORT is unavailable since TIME: OPA could not be reached (ECONNREFUSED 127.0.0.1:PORT); 'opa' at http://127.0.0.1:PORT is overloaded: OPA answered HTTP 429; standby 'team' is invalid: result must be "ALLOW", "DENY", "CONDITIONAL" or "NOT_APPLICABLE" [BAD_DECISION]; an overload always counts as DENY`,
    {
      team: says({ result: 'PERHAPS' }),
      sources: { opa: opaAt('GONE,OPA', { standby: 'team' }) },
      opa: answer('{}', '429 Too Many Requests'),
    },
  ],
  [
    'unavailable, overloaded',
    "ALLOW by 'catalog': 'opa' at http://127.0.0.1:PORT is unavailable since TIME: OPA could not be reached (ECONNREFUSED 127.0.0.1:PORT); 'opa' at http://127.0.0.1:PORT is unavailable since TIME: OPA answered HTTP 502; fail-open; no standby",
    {
      sources: { opa: opaAt('GONE,OPA') },
      opa: answer('{}', '502 Bad Gateway'),
      route: { onUnavailable: 'fail-open' },
    },
  ],
  [
    'invalid',
    "DENY by 'catalog': 'opa' is invalid: the response must be a JSON object in UTF-8 without repeated keys [BAD_JSON]; an invalid answer always counts as DENY",
    {
      opa: answer('nonsense'),
      sources: { opa: opaAt('OPA', { standby: 'ownership' }) },
    },
  ],
  [
    'a DENY under deny-overrides',
    "DENY by 'catalog': 'opa': the Rego policy says DENY: frozen until Monday",
    {
      opa: decision({ result: 'DENY', reason: 'frozen until Monday' }),
      route: { sources: ['ownership', 'opa', 'allow'] },
    },
  ],
  [
    'an ALLOW under allow-overrides',
    "ALLOW by 'catalog': bypass: member of group:default/platform, said by 'ownership'",
    {
      user: userOf('group:default/platform'),
      route: { sources: ['ownership', 'opa'], combine: 'allow-overrides' },
    },
  ],
  [
    'a verdict under first-applicable',
    "CONDITIONAL by 'catalog': allowed where IS_ENTITY_OWNER claims [user:default/olivia, group:default/search]; 'ownership': allowed to owners of the catalog-entity",
    { route: { sources: ['ownership', 'opa'], combine: 'first-applicable' } },
  ],
  [
    'conditions of two plugins',
    `DENY by 'catalog': 'ownership' allows where IS_ENTITY_OWNER claims [user:default/olivia, group:default/search]; 'team' allows where IS_ENTITY_OWNER claims [group:default/search]; conditions of 'catalog' ("catalog-entity") and 'other' ("catalog-entity") cannot be combined: Backstage applies all conditions of a decision in one plugin, to one resource type`,
    {
      team: says(when(owner, { pluginId: 'other' })),
      route: { sources: ['ownership', 'team'] },
    },
  ],
  [
    'conditions that contradict each other',
    "DENY by 'catalog': 'opa' allows where not IS_ENTITY_OWNER claims [group:default/search]; 'team' allows where IS_ENTITY_OWNER claims [group:default/search]; together they contradict each other, so no resource can meet them",
    {
      opa: decision(when({ not: owner })),
      team: says(when(owner)),
      route: { sources: ['opa', 'team'] },
    },
  ],
  [
    'combined conditions over the limits',
    "DENY by 'catalog': the sources of 'catalog' together give conditions of 251 bytes, more than maxConditionBytes (200) [CONDITIONS_TOO_LARGE]; 'ownership' allows where IS_ENTITY_OWNER claims [user:default/olivia, group:default/search]; 'opa' allows where not HAS_ANNOTATION annotation example.com/protected",
    {
      config: { maxConditionBytes: 200 },
      opa: decision(when(notProtected)),
      route: { sources: ['ownership', 'opa'] },
    },
  ],
  [
    'every source abstained',
    "DENY by 'catalog': no source was applicable: the route's default is deny; 'ownership': ownership does not decide basic permissions; 'opa': the Rego policy abstains; it was asked by name only, and what its plugin declares has not been read",
    {
      opa: decision({ result: 'NOT_APPLICABLE' }),
      asked: permission('catalog.x'),
      route: { sources: ['ownership', 'opa'] },
    },
  ],
  [
    'every source abstained',
    "ALLOW by 'catalog': no source was applicable: the route's default is allow; 'ownership': ownership does not decide basic permissions; no plugin that could be read declares the permission",
    {
      route: { sources: ['ownership'], default: 'allow' },
      asked: permission('catalog.x'),
      declared: [onEntity],
      ask: twice,
    },
  ],
  [
    'CONDITIONAL, asked without a resource',
    "DENY by 'catalog': allowed for some resources; asked without a resource; 'ownership' allows where IS_ENTITY_OWNER claims [user:default/olivia, group:default/search]",
    {
      route: { sources: ['ownership'] },
      asked: byName,
      declared: [onEntity],
      ask: declaredRead,
    },
  ],
  [
    'CONDITIONAL, asked without a resource',
    "ALLOW by 'catalog': allowed for some resources; asked without a resource (whenAskedWithoutResource: allow); 'ownership' allows where IS_ENTITY_OWNER claims [user:default/olivia, group:default/search]",
    {
      config: { whenAskedWithoutResource: 'allow' },
      route: { sources: ['ownership'] },
      asked: byName,
      declared: [onEntity],
      ask: declaredRead,
    },
  ],
  [
    'ALLOW | DENY | CONDITIONAL',
    "ALLOW by 'catalog': 'opa': the Rego policy says ALLOW",
    { opa: decision({ result: 'ALLOW' }) },
  ],
  [
    'ALLOW | DENY | CONDITIONAL',
    "DENY by 'catalog': 'ownership': the user has no ownership refs",
    { user: userOf(), route: { sources: ['ownership'] } },
  ],
  [
    'ALLOW | DENY | CONDITIONAL',
    "CONDITIONAL by 'catalog': allowed where IS_ENTITY_OWNER claims [user:default/olivia, group:default/search] and IS_ENTITY_OWNER claims [group:default/search] and not HAS_ANNOTATION annotation example.com/protected; 'ownership': allowed to owners of the catalog-entity; 'opa': the Rego policy says CONDITIONAL: owners, unless protected",
    {
      opa: decision(
        when({ allOf: [owner, notProtected] }, { reason: 'owners, unless protected' }),
      ),
      route: { sources: ['ownership', 'opa'] },
    },
  ],
  [
    'ALLOW | DENY | CONDITIONAL',
    "CONDITIONAL by 'catalog': allowed where IS_ENTITY_OWNER claims [user:default/olivia, group:default/search]; 'ownership': allowed to owners of the catalog-entity; 'opa' is unavailable since TIME: OPA could not be reached (ECONNREFUSED 127.0.0.1:PORT); fail-open; no standby",
    {
      sources: { opa: opaAt('GONE') },
      route: { sources: ['ownership', 'opa'], onUnavailable: 'fail-open' },
    },
  ],
  [
    'anything that throws outside a source',
    'DENY before a route was looked for: an internal error of the policy router',
    {
      asked: {
        get name() {
          throw new Error('secret');
        },
      },
    },
  ],
  [
    'explained, and a source needs the user in person',
    "ALLOW by 'catalog', which is not certain, as 'team' could not be asked for this explanation: the source 'allow'",
    {
      team: says({ result: 'ALLOW' }),
      route: { sources: ['team', 'allow'] },
      ask: router =>
        router.explain(onEntity, {
          userEntityRef: 'user:default/nolan',
          ownershipEntityRefs: [],
        }),
    },
  ],
  [
    'explained, and a source needs the user in person',
    "DENY by 'catalog': the source 'deny'",
    {
      team: says({ result: 'ALLOW' }),
      route: { sources: ['team', 'deny'] },
      ask: router =>
        router.explain(onEntity, {
          userEntityRef: 'user:default/nolan',
          ownershipEntityRefs: [],
        }),
    },
  ],
  [
    'observed: the answering source answers',
    "OBSERVED until 2999-01-31: 'allow' answers ALLOW; enforced it would be DENY by 'catalog': no source was applicable: the route's default is deny; 'ownership': ownership does not decide basic permissions",
    { ...observe('allow'), ask: recordedLater },
  ],
  [
    'observed: the answering source answers',
    "OBSERVED until 2999-01-31T09:00:00Z: 'team' answers ALLOW ('team': the policy says ALLOW); enforced it would be DENY by the fallback: no route matches",
    {
      ...observe('team'),
      config: { observe: { answer: 'team', until: '2999-01-31T09:00:00Z' } },
      asked: permission('other', { action: 'read' }),
      ask: recordedLater,
    },
  ],
  [
    'observed: the answering source answers',
    "OBSERVED until 2999-01-31: 'ownership' answers CONDITIONAL (where IS_ENTITY_OWNER claims [user:default/olivia, group:default/search]; 'ownership': allowed to owners of the catalog-entity); enforced it would be ALLOW by 'catalog': the source 'allow'",
    {
      ...observe('ownership'),
      route: { sources: ['allow'] },
      asked: onEntity,
      ask: recordedLater,
    },
  ],
  [
    'observed: it fails or abstains',
    "OBSERVED until 2999-01-31: 'team' answers DENY ('team' is invalid: the source threw Error; an invalid answer always counts as DENY); enforced it would be ALLOW by 'catalog': the source 'allow'",
    {
      ...observe('team'),
      team: () => Promise.reject(new Error('broken')),
      route: { sources: ['allow'] },
      ask: recordedLater,
    },
  ],
  [
    'observed: it fails or abstains',
    "OBSERVED until 2999-01-31: 'ownership' answers DENY ('ownership' abstains, so the answer is DENY; 'ownership': ownership does not decide basic permissions); enforced it would be ALLOW by 'catalog': the source 'allow'",
    { ...observe('ownership'), route: { sources: ['allow'] }, ask: recordedLater },
  ],
];

/** What is declared is read in the background. */
async function declaredRead(
  router: TestRouter,
  decide: () => Promise<unknown>,
): Promise<void> {
  while (router.record?.declared !== 'completed') await decide();
}

/** The servers are known only when the tests run. */
function located(situation: Situation): Situation {
  const text = JSON.stringify(situation.sources ?? {}, (key, value: unknown) =>
    key === 'baseUrl' && typeof value === 'string'
      ? (each => (each.length > 1 ? each : each[0]))(
          value
            .split(',')
            .map(url => (url === 'GONE' ? gone : url === 'OPA' ? opa.url : url)),
        )
      : value,
  );
  return { ...situation, sources: JSON.parse(text) as object };
}

it.each(EXITS)('%s: %s', async (_exit, sentence, situation) => {
  const record = await recordIn(located(situation));
  expect(plain(sentenceOf(record))).toBe(sentence);
  expect(sentenceOf(record)).not.toContain('secret');
  expectNothingOfWhy(generalSentence(record), record);
});

/** The words of a sentence for everybody: those of no source, user, group, rule or failure. */
function expectNothingOfWhy(sentence: string, record: DecisionRecord): void {
  const { route, observed } = record;
  const { result } = observed ?? record;
  const what = {
    ALLOW: 'Allowed',
    DENY: 'Denied',
    CONDITIONAL: 'Allowed for some resources',
  }[result];
  const by = route === 'fallback' ? 'the fallback' : `the route ${route}`;
  if (observed) {
    expect(sentence).toBe(
      `${what}. The decisions of ${by} are not enforced yet; another source answers`,
    );
    return;
  }
  const where = new Map([
    [undefined, ', before a route was looked for'],
    ['fallback', ' by the fallback: no route matches'],
  ]);
  expect(sentence).toBe(`${what}${where.get(route) ?? ` by the route ${route}`}`);
}

it('every exit of the diagram has a sentence here', () => {
  const [, diagram] = readFileSync('docs/decision-flow.md', 'utf8').split('```');
  const drawn = diagram!
    .split('\n')
    .filter(line => line.includes('►'))
    .map(line => line.split(/ ─+►/)[0]!.split(/[│┐]/).at(-1)!.trim());
  const explained = 'explained, and a source needs the user in person';
  const reached = new Set(
    EXITS.map(([exit]) => exit).filter(exit => exit !== explained),
  );
  expect([...reached].sort()).toEqual([...new Set(drawn)].sort());
});

describe('a sentence', () => {
  const failedSince = (since: number, at: number): DecisionRecord => ({
    ...newRecord(),
    at,
    route: "'catalog'",
    reason: 'why',
    sources: [
      {
        source: 'opa',
        verdict: 'DENY',
        reason: 'why',
        failure: { class: 'unavailable', code: 'GONE', message: 'gone', since },
      },
    ],
  });
  const time = (text: string): number => Date.parse(text);

  it.each([
    ['12:04:31 UTC', '2026-11-27T12:04:31.999Z', '2026-11-27T23:59:59Z'],
    ['2026-11-26 23:59:59 UTC', '2026-11-26T23:59:59Z', '2026-11-27T00:00:00Z'],
  ])('says since when: %s', (words, since, at) => {
    expect(sentenceOf(failedSince(time(since), time(at)))).toBe(
      `DENY by 'catalog': 'opa' is unavailable since ${words}: gone; fail-closed; no standby`,
    );
  });

  it('is one visible line of at most 2,000 characters, whatever is recorded', () => {
    const source = {
      source: 'a\u202eb\nc',
      verdict: 'DENY',
      reason: 'why '.repeat(10_000),
    } as const;
    const record = (count: number): DecisionRecord => ({
      ...newRecord(),
      route: "'x\u0000'",
      reason: source.reason,
      sources: Array.from({ length: count }, () => source),
    });
    for (const count of [1, 100]) {
      const sentence = sentenceOf(record(count));
      checkLine(sentence);
      expect(sentence.length).toBeLessThanOrEqual(2000);
    }
    checkLine(generalSentence(record(1)));
  });

  it('of a record that no stage has filled in is one too', () => {
    expect(sentenceOf(newRecord())).toBe(
      'DENY before a route was looked for: the request is invalid: not decided',
    );
  });
});
