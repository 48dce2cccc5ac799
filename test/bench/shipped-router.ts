/** A router in this process, with the shipped table and one more route. */
import { readFile } from 'node:fs/promises';
import { Writable } from 'node:stream';
import type { AuditorService, LoggerService } from '@backstage/backend-plugin-api';
import { WinstonLogger } from '@backstage/backend-defaults/rootLogger';
import { parse } from 'yaml';
import { PublishedRules } from '../../src/conditions/published-rules';
import type { RuleMetadata } from '../../src/conditions/rule-metadata';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { startRouter, type TestRouter } from '../support/router';
import { OwnerPolicy } from './owner-policy';

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

/** What a route of the measured router can name. */
export interface RouterOptions {
  readonly auditor?: AuditorService;
  /** Merged over the shipped ones. */
  readonly sources?: Readonly<Record<string, object>>;
  /** Further settings. */
  readonly settings?: object;
}

/** A URL for the config that is never asked. */
const NO_OPA = 'http://127.0.0.1:9';

/** A router as the shipped one, with one more route: to this source, for reading entities. */
export async function routerTo(
  source: string,
  { auditor, sources: more = {}, settings: further = {} }: RouterOptions = {},
): Promise<TestRouter> {
  const { routingFile, sources, ...settings } = await shipped('config/app-config.yaml');
  const embedded = await shipped('config/app-config.embedded.yaml');
  const { fallback, routes } = await readYaml<Table>(routingFile);
  const provided = new ProvidedPolicies();
  provided.addSource('hosted', new OwnerPolicy());
  const table = {
    ...settings,
    ...further,
    sources: {
      opa: { ...sources.opa, baseUrl: NO_OPA },
      ownership: sources.ownership,
      embedded: embedded.sources.opa,
      hosted: { type: 'hosted' },
      ...more,
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
    logger: quietLogger(),
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
function quietLogger(): LoggerService {
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
