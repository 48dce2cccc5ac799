import { readFile } from 'node:fs/promises';
import { Writable } from 'node:stream';
import type { AuditorService, LoggerService } from '@backstage/backend-plugin-api';
import { WinstonLogger } from '@backstage/backend-defaults/rootLogger';
import { catalogEntityReadPermission } from '@backstage/plugin-catalog-common/alpha';
import {
  catalogConditions,
  createCatalogConditionalDecision,
} from '@backstage/plugin-catalog-backend/alpha';
import {
  AuthorizeResult,
  isResourcePermission,
  type PolicyDecision,
} from '@backstage/plugin-permission-common';
import type {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import { Pool } from 'undici';
import { parse } from 'yaml';
import { PublishedRules } from '../../src/conditions/published-rules';
import type { RuleMetadata } from '../../src/conditions/rule-metadata';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { startRouter, type TestRouter } from '../support/router';
import type { Contestant } from './drive';

const ENTRYPOINT = 'backstage_policy/decision';

/** The concurrency in config/app-config.yaml. */
const CONNECTIONS = 64;

/** A URL for the config that is never asked. */
export const NO_OPA = 'http://127.0.0.1:9';

const QUERY: PolicyQuery = { permission: catalogEntityReadPermission };

const CLAIMS = ['user:default/dana', 'group:default/payments', 'group:default/berlin'];

const USER: PolicyQueryUser = {
  credentials: { $$type: '@backstage/BackstageCredentials', principal: {} },
  info: { userEntityRef: 'user:default/dana', ownershipEntityRefs: CLAIMS },
};

/** More users than concurrent callers, because identical questions would share one request. */
export const USERS: readonly PolicyQueryUser[] = Array.from(
  { length: 1024 },
  (_, index) => ({
    ...USER,
    info: { ...USER.info, userEntityRef: `user:default/dana-${index}` },
  }),
);

/** What is measured; `opa` and `rawOpa` only if an OPA is available. */
export interface Contestants {
  readonly native: Contestant;
  readonly handWritten: Contestant;
  /** The hand-written policy as a hosted source. */
  readonly hosted: Contestant;
  readonly allow: Contestant;
  readonly allowAll: Contestant;
  readonly wasm: Contestant;
  readonly opa: Contestant | undefined;
  readonly rawOpa: Contestant | undefined;
  close(): Promise<void>;
}

/** @param opaUrl - of an OPA that has loaded config/policies/backstage.rego. */
export async function createContestants(
  opaUrl: string | undefined,
): Promise<Contestants> {
  const logger = quietLogger();
  const routers: TestRouter[] = [];
  const route = async (source: string): Promise<PermissionPolicy> => {
    const router = await routerTo(source, opaUrl ?? NO_OPA, logger);
    routers.push(router);
    return router.undelayed;
  };
  const contestants = {
    native: inProcess('route to ownership (native)', await route('ownership')),
    handWritten: inProcess('hand-written owner policy', new OwnerPolicy()),
    hosted: inProcess('route to that policy, hosted', await route('hosted')),
    wasm: inProcess('route to embedded Wasm', await route('embedded')),
    allow: inProcess('route to allow', await route('allow'), 'ALLOW'),
    allowAll: inProcess('allow-all policy', new AllowAllPolicy(), 'ALLOW'),
  };
  const pool =
    opaUrl === undefined
      ? undefined
      : new Pool(opaUrl, { connections: CONNECTIONS, pipelining: 1 });
  return {
    ...contestants,
    opa: pool && {
      ...inProcess('route to OPA', await route('opa'), 'CONDITIONAL', USERS),
      inProcess: false,
    },
    rawOpa: pool && rawContestant(pool),
    async close() {
      for (const router of routers) router.close();
      await pool?.close();
    },
  };
}

/** The rules that the shipped policies use, as the catalog publishes them. */
const CATALOG_RULES: RuleMetadata = {
  kind: 'published',
  rules: new PublishedRules({
    rules: [
      catalogRule('IS_ENTITY_OWNER', ['claims'], {
        claims: { type: 'array', items: { type: 'string' } },
      }),
      catalogRule('HAS_LABEL', ['label'], {
        label: { type: 'string' },
        value: { type: 'string' },
      }),
      catalogRule('HAS_ANNOTATION', ['annotation'], {
        annotation: { type: 'string' },
        value: { type: 'string' },
      }),
    ],
  }),
};

function catalogRule(name: string, required: string[], properties: object): object {
  return {
    name,
    resourceType: 'catalog-entity',
    paramsSchema: { type: 'object', required, properties, additionalProperties: false },
  };
}

/** A router as the shipped one, with one more route: the measured one. */
export async function routerTo(
  source: string,
  opaUrl: string,
  logger: LoggerService,
  {
    auditor,
    ...more
  }: { readonly auditor?: AuditorService } & Record<string, unknown> = {},
): Promise<TestRouter> {
  const { routingFile, sources, ...settings } = await shipped('config/app-config.yaml');
  const embedded = await shipped('config/app-config.embedded.yaml');
  const { fallback, routes } = await readYaml<Table>(routingFile);
  const provided = new ProvidedPolicies();
  provided.addSource('hosted', new OwnerPolicy());
  const table = {
    ...settings,
    ...more,
    sources: {
      opa: { ...sources.opa, baseUrl: opaUrl },
      'opa-next': { ...sources.opa, baseUrl: opaUrl },
      ownership: sources.ownership,
      embedded: embedded.sources.opa,
      hosted: { type: 'hosted' },
    },
    fallback,
    routes: [
      ...routes,
      {
        prefix: 'catalog.entity',
        actions: ['read'],
        resourceTypes: ['catalog-entity'],
        sources: [source],
      },
    ],
  };
  return startRouter(table, {
    logger,
    ...(auditor ? { auditor } : {}),
    readRules: async () => CATALOG_RULES,
    policies: provided,
  });
}

interface Settings {
  routingFile: string;
  sources: Record<string, object>;
}

interface Table {
  fallback: string;
  routes: object[];
}

async function shipped(path: string): Promise<Settings> {
  const config = await readYaml<{ permission: { policyRouter: Settings } }>(path);
  return config.permission.policyRouter;
}

async function readYaml<T>(path: string): Promise<T> {
  return parse(await readFile(path, 'utf8')) as T;
}

/** A plugin's logger as Backstage makes it, at level info, with its output discarded. */
export function quietLogger(): LoggerService {
  return WinstonLogger.create({
    level: 'info',
    meta: { service: 'backstage' },
    transports: [nowhere()],
  }).child({ plugin: 'permission' });
}

/** Discards what is logged. */
export function nowhere(): Transport {
  const sink = new Writable({
    objectMode: true,
    write: (_line, _encoding, done) => done(),
  });
  return Object.assign(sink, { log() {} });
}

type Transport = NonNullable<
  Parameters<typeof WinstonLogger.create>[0]['transports']
>[0];

export function inProcess(
  name: string,
  policy: PermissionPolicy,
  expected = 'CONDITIONAL',
  users: readonly PolicyQueryUser[] = [USER],
): Contestant {
  let turn = 0;
  return {
    name,
    inProcess: true,
    expected,
    ask: async () => {
      const user = users[turn++ % users.length];
      return (await policy.handle(QUERY, user)).result;
    },
  };
}

/** What a team would write to let owners change what they own. */
class OwnerPolicy implements PermissionPolicy {
  async handle(
    { permission }: PolicyQuery,
    user?: PolicyQueryUser,
  ): Promise<PolicyDecision> {
    if (isResourcePermission(permission, 'catalog-entity')) {
      return createCatalogConditionalDecision(
        permission,
        catalogConditions.isEntityOwner({
          claims: user?.info.ownershipEntityRefs ?? [],
        }),
      );
    }
    return { result: AuthorizeResult.ALLOW };
  }
}

class AllowAllPolicy implements PermissionPolicy {
  async handle(): Promise<PolicyDecision> {
    return { result: AuthorizeResult.ALLOW };
  }
}

/** The minimum that an OPA client does: one fixed question and no checks. */
function rawContestant(pool: Pool): Contestant {
  const { name, type, attributes, resourceType } = catalogEntityReadPermission;
  const body = JSON.stringify({
    input: {
      permission: { name, type, attributes, resourceType },
      identity: { user: USER.info.userEntityRef, claims: CLAIMS },
    },
  });
  return {
    name: 'raw undici to OPA',
    inProcess: false,
    expected: 'CONDITIONAL',
    async ask() {
      const response = await pool.request({
        method: 'POST',
        path: `/v1/data/${ENTRYPOINT}`,
        headers: { 'content-type': 'application/json' },
        body,
      });
      const { result } = (await response.body.json()) as { result: PolicyDecision };
      return result.result;
    },
  };
}
