/**
 * `policy-router test` decides as a running backend does: over the same random cases (users,
 * entities, permissions and tables) its results are those of `/authorize`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { coreServices, createBackendModule } from '@backstage/backend-plugin-api';
import type { Entity } from '@backstage/catalog-model';
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import { AuthorizeResult, type Permission } from '@backstage/plugin-permission-common';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { policySourceExtensionPoint } from '../../../src/index';
import { generateEntities, VIEWER } from '../../fixtures/catalog-entities';
import { anyPolicy } from '../../fixtures/generated-policies';
import { anyTable, type GeneratedTable } from '../../fixtures/generated-tables';
import { refOf } from '../../properties/reference/catalog-rules';
import { SQLITE } from '../../support/app-config';
import { temporaryFolder } from '../../support/backend';
import {
  ingested,
  startCatalogBackend,
  type CatalogBackend,
} from '../../support/catalog-backend';
import { runPolicyRouter } from '../../support/cli';
import { startOpa, type OpaServer } from '../../support/opa-server';
import { patiently } from '../../support/patience';
import { buildBundle } from '../../support/wasm-bundle';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

const SEED = 20261127;
const TABLES = 20;
const CASES = 10;

/** The users, by the name that they have in the test file and in the catalog. */
const USERS: Readonly<Record<string, readonly string[]>> = {
  [VIEWER.name]: VIEWER.ownershipEntityRefs.filter(ref => ref.startsWith('group:')),
  nolan: ['group:default/search'],
  petra: [],
};

const userEntity = (name: string): Entity => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'User',
  metadata: { name },
  spec: { memberOf: [...USERS[name]!] },
});

const ENTITIES = [
  ...generateEntities(SEED, 60),
  userEntity('nolan'),
  userEntity('petra'),
];
const nameOf = (index: number): string => `entity-${index}`;

/** Asked as the catalog declares them, or in ways that no plugin declares. */
const PERMISSIONS: readonly Permission[] = [
  ...catalogPermissions,
  { type: 'basic', name: 'catalog.entity.delete', attributes: {} },
  {
    type: 'resource',
    name: 'billing.invoice.pay',
    attributes: { action: 'update' },
    resourceType: 'invoice',
  },
  { type: 'basic', name: 'billing.report', attributes: { action: 'read' } },
  { type: 'basic', name: 'elsewhere', attributes: {} },
];

/** Compiled to Wasm: depends on the user and the action. */
const REGO = `package compiled

import rego.v1

default decision := {"result": "NOT_APPLICABLE"}

decision := {"result": "DENY"} if input.permission.attributes.action == "create"

decision := {
	"result": "CONDITIONAL",
	"pluginId": "catalog",
	"resourceType": "catalog-entity",
	"conditions": {"anyOf": [
		{"rule": "IS_ENTITY_OWNER", "resourceType": "catalog-entity", "params": {"claims": input.identity.claims}},
		{"rule": "IS_ENTITY_KIND", "resourceType": "catalog-entity", "params": {"kinds": ["API"]}},
	]},
} if {
	input.permission.resourceType == "catalog-entity"
	input.permission.attributes.action != "create"
}
`;

/** What the hosted policy allows; the test file says the same of its stand-in. */
const HOSTED_ALLOWS = ['catalog.entity.read', 'billing.report'];

const hostedPolicy = createBackendModule({
  pluginId: 'permission',
  moduleId: 'law-policy',
  register(registration) {
    registration.registerInit({
      deps: { router: policySourceExtensionPoint },
      async init({ router }) {
        router.addSource('rbac', {
          handle: async ({ permission }) => ({
            result: HOSTED_ALLOWS.includes(permission.name)
              ? AuthorizeResult.ALLOW
              : AuthorizeResult.DENY,
          }),
        });
      },
    });
  },
});

/** Set once the backend runs: a token of the catalog, on behalf of the user of another one. */
let onBehalfOf: (token: string) => Promise<string>;

/** Without a resource, Backstage answers users only through a plugin. */
const catalogTokens = createBackendModule({
  pluginId: 'catalog',
  moduleId: 'law-tokens',
  register(registration) {
    registration.registerInit({
      deps: { auth: coreServices.auth },
      async init({ auth }) {
        onBehalfOf = async token => {
          const credentials = await auth.authenticate(token);
          const target = { onBehalfOf: credentials, targetPluginId: 'permission' };
          return (await auth.getPluginRequestToken(target)).token;
        };
      },
    });
  },
});

const SOURCES = [
  ...['allow', 'deny', 'ownership', 'conditions', 'rbac', 'compiled', 'down'],
  ...['first', 'second', 'third'],
];
const FAIL_OPEN = 'lost';
/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:1';

interface Case {
  readonly user: string;
  readonly permission: Permission;
  /** Among the entities. */
  readonly entity: number | undefined;
}

const anyCase: fc.Arbitrary<Case> = fc.noBias(
  fc
    .record({
      user: fc.constantFrom(...Object.keys(USERS), VIEWER.name, 'anonymous'),
      permission: fc.oneof(
        { weight: 2, arbitrary: fc.constantFrom(...PERMISSIONS) },
        {
          weight: 3,
          arbitrary: fc.constantFrom(
            ...catalogPermissions.filter(({ type }) => type === 'resource'),
          ),
        },
      ),
      entity: fc.option(fc.nat(ENTITIES.length - 1), { nil: undefined, freq: 2 }),
    })
    // Backstage accepts no resource of a basic permission, and plugins apply no conditions for nobody.
    .map(each =>
      each.permission.type === 'basic' || each.user === 'anonymous'
        ? { ...each, entity: undefined }
        : each,
    ),
);

/** A result, and of CONDITIONAL the conditions. */
interface Decided {
  readonly result: string;
  readonly conditions?: unknown;
}

describeWithOpa('policy-router test and /authorize', () => {
  let folder: string;
  let opa: OpaServer;
  let backend: CatalogBackend;
  const tokens = new Map<string, string>();
  let policyRouter: { readonly sources: object };
  const seen = { ALLOW: 0, DENY: 0, CONDITIONAL: 0 };

  beforeAll(async () => {
    folder = await temporaryFolder();
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['test/fixtures/policies/generated.rego'],
    });
    const bundle = join(folder, 'bundle.tar.gz');
    writeFileSync(bundle, await buildBundle(requireOpa(), REGO, 'compiled/decision'));
    const ofOpa = (rule: string): object => ({
      type: 'opa',
      baseUrl: opa.url,
      entrypoint: `generated/${rule}`,
    });
    const sources = {
      first: ofOpa('first'),
      second: ofOpa('second'),
      third: ofOpa('third'),
      ownership: { type: 'ownership', bypass: ['group:default/search'] },
      rbac: { type: 'hosted' },
      compiled: { type: 'opa-wasm', bundle, entrypoint: 'compiled/decision' },
      conditions: {
        type: 'conditions',
        otherwise: 'not-applicable',
        rules: [
          {
            groups: ['group:platform/core'],
            actions: ['read', 'delete'],
            resourceTypes: ['catalog-entity'],
            pluginId: 'catalog',
            conditions: {
              not: { rule: 'IS_ENTITY_KIND', params: { kinds: ['User'] } },
            },
          },
          { groups: ['group:default/search'], actions: ['create'], result: 'allow' },
        ],
      },
      down: { ...ofOpa('first'), baseUrl: NOWHERE, standby: 'ownership' },
      [FAIL_OPEN]: { ...ofOpa('first'), baseUrl: NOWHERE, onUnavailable: 'fail-open' },
    };
    const settings = { anonymous: 'evaluate', whenAskedWithoutResource: 'allow' };
    policyRouter = { ...settings, sources };
    backend = await startCatalogBackend({
      entities: ENTITIES,
      database: SQLITE,
      sources,
      config: settings,
      configFiles: ['test/fixtures/app-config.anonymous.yaml'],
      features: [hostedPolicy, catalogTokens],
    });
    for (const name of Object.keys(USERS)) tokens.set(name, await backend.signIn(name));
    await ingested(backend, tokens.get(VIEWER.name)!, ENTITIES.length);
  });

  afterAll(async () => {
    await backend?.stop();
    await opa?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** What the real backend answers; a batch for each user, in person and through the catalog. */
  async function authorized(cases: readonly Case[]): Promise<Decided[]> {
    const answers = new Map<Case, Decided>();
    for (const user of new Set(cases.map(each => each.user))) {
      const own = cases.filter(each => each.user === user);
      const token = tokens.get(user);
      const isInPerson = ({ permission, entity }: Case): boolean =>
        token === undefined || permission.type === 'basic' || entity !== undefined;
      const inPerson = own.filter(isInPerson);
      const through = own.filter(each => !isInPerson(each));
      await ask(inPerson, token, answers);
      if (through.length > 0) await ask(through, await onBehalfOf(token!), answers);
    }
    return cases.map(each => answers.get(each)!);
  }

  async function ask(
    cases: readonly Case[],
    token: string | undefined,
    answers: Map<Case, Decided>,
  ): Promise<void> {
    const response = await fetch(`${backend.url}/api/permission/authorize`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({
        items: cases.map(({ permission, entity }, index) => ({
          id: String(index),
          permission,
          ...(entity === undefined ? {} : { resourceRef: refOf(ENTITIES[entity]!) }),
        })),
      }),
    });
    const { items = [], error } = (await response.json()) as {
      items?: Decided[];
      error?: unknown;
    };
    expect(error).toBeUndefined();
    for (const [index, { result, conditions }] of items.entries()) {
      answers.set(cases[index]!, { result, ...(conditions ? { conditions } : {}) });
    }
  }

  /** What the command answers, of a file with these cases. */
  async function tested(
    cases: readonly Case[],
    table: GeneratedTable,
    number: number,
  ): Promise<Decided[]> {
    const cwd = join(folder, String(number));
    mkdirSync(cwd);
    const config = patiently({ ...policyRouter, ...table });
    writeFileSync(
      join(cwd, 'app-config.yaml'),
      stringify({ permission: { policyRouter: config } }),
    );
    const used = new Set(cases.flatMap(({ entity }) => entity ?? []));
    const file = {
      users: Object.fromEntries(
        Object.entries(USERS).map(([name, groups]) => [
          name,
          groups.length > 0 ? { groups } : {},
        ]),
      ),
      entities: Object.fromEntries(
        [...used].map(index => [nameOf(index), ENTITIES[index]]),
      ),
      standIns: {
        rbac: [{ permissions: HOSTED_ALLOWS, result: 'allow' }, { result: 'deny' }],
        down: 'unavailable',
        [FAIL_OPEN]: 'unavailable',
      },
      cases: cases.map(({ user, permission, entity }, index) => ({
        user,
        permission: writtenPermission(permission),
        ...(entity === undefined ? {} : { entity: nameOf(entity) }),
        // Cases that pass and cases that fail are evaluated in different ways.
        expect: index % 2 === 0 ? 'ALLOW' : 'DENY',
      })),
    };
    writeFileSync(join(cwd, 'tests.yaml'), stringify(file));
    const flags = ['--config', 'app-config.yaml', '--opa', opa.url, '--json'];
    const { out, err } = await runPolicyRouter(['test', 'tests.yaml', ...flags], {
      cwd,
    });
    expect(err).toBe('');
    const report = JSON.parse(out) as { cases: Decided[] };
    return report.cases.map(({ result, conditions }) => ({
      result,
      ...(result === 'CONDITIONAL' ? { conditions } : {}),
    }));
  }

  it.each(Array.from({ length: TABLES }, (_, index) => index + 1))(
    `agree on ${CASES} random cases of table %i`,
    async number => {
      const options = { seed: SEED + number, numRuns: 1 };
      const [table] = fc.sample(anyTable(SOURCES, FAIL_OPEN), options);
      const [policy] = fc.sample(anyPolicy, options);
      const cases = fc.sample(anyCase, { ...options, numRuns: CASES });
      const put = await fetch(`${opa.url}/v1/data/verdicts`, {
        method: 'PUT',
        body: JSON.stringify(policy),
      });
      expect(put.ok).toBe(true);
      await backend.useTable(table!);

      const expected = await authorized(cases);
      const found = await tested(cases, table!, number);

      expect(cases.map((each, index) => ({ ...each, ...found[index] }))).toEqual(
        cases.map((each, index) => ({ ...each, ...expected[index] })),
      );
      for (const { result } of expected) seen[result as keyof typeof seen]++;
    },
  );

  it('have met every result often enough to prove something', () => {
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(10);
    expect(seen.ALLOW + seen.DENY + seen.CONDITIONAL).toBe(TABLES * CASES);
  });

  it('know the users by the same refs', () => {
    const refs = new Map(backend.traces.map(trace => [trace.user, trace.refs]));
    for (const [name, groups] of Object.entries(USERS)) {
      const known = refs.get(`user:default/${name}`) ?? [];
      expect([...known].sort()).toEqual([`user:default/${name}`, ...groups].sort());
    }
  });
});

/** By its name where that says it all. */
function writtenPermission(permission: Permission): unknown {
  if (catalogPermissions.includes(permission as (typeof catalogPermissions)[number])) {
    return permission.name;
  }
  const { name, type, attributes } = permission;
  return {
    name,
    type,
    ...attributes,
    ...(permission.type === 'resource'
      ? { resourceType: permission.resourceType }
      : {}),
  };
}
