/**
 * The plugins as the router sees them, without a backend: what they declare comes from a file, and
 * the catalog applies its own rules to the entities that are given.
 */
import type { Entity } from '@backstage/catalog-model';
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import { permissionRules } from '@backstage/plugin-catalog-backend/alpha';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import {
  createConditionAuthorizer,
  createPermissionIntegrationRouter,
} from '@backstage/plugin-permission-node';
import express from 'express';
import inject from 'light-my-request';
import { rulesIn, type RuleMetadata } from '../../conditions/rule-metadata';
import type { PluginMetadata } from '../../declared/plugin-metadata';
import type { Conditional } from '../../verdict';
import type { AskPlugin } from '../../lib/plugin-request';
import type { Entities } from './entities';
import type { Metadata } from './metadata';

/** Of permissions and rules. */
const METADATA_PATH = '/.well-known/backstage/permissions/metadata';

export interface LocalPlugins {
  /** Their ids. */
  readonly ids: readonly string[];
  /** What they declare. */
  read(pluginId: string): Promise<PluginMetadata>;
  readRules(pluginId: string): Promise<RuleMetadata>;
  /** Only the catalog can be asked to apply conditions. */
  readonly askPlugin: AskPlugin;
  /**
   * Whether an entity meets conditions of the catalog, without the way over its endpoint, which takes
   * ten times as long; undefined if the endpoint must be asked, such as for what is wrong with them.
   */
  isMet(conditional: ConditionsOf, key: string): boolean | undefined;
}

type ConditionsOf = Pick<Conditional, 'pluginId' | 'resourceType' | 'conditions'>;

export async function localPlugins(
  metadata: Metadata,
  entities: Entities,
): Promise<LocalPlugins> {
  const askCatalog = catalog(entities);
  const { text = '' } = await askCatalog({ path: METADATA_PATH });
  const ofCatalog = JSON.parse(text) as object;
  const bodies = new Map<string, object>(metadata);
  bodies.set('catalog', { ...ofCatalog, ...metadata.get('catalog') });
  const body = (pluginId: string): object | undefined => bodies.get(pluginId);
  return {
    ids: [...bodies.keys()],
    read: async pluginId => ({
      kind: 'published',
      // A plugin that is not known here declares nothing that is.
      body: body(pluginId) ?? { permissions: [], rules: [] },
    }),
    readRules: async pluginId => {
      const known = body(pluginId);
      return known && 'rules' in known
        ? rulesIn({ kind: 'published', body: known })
        : { kind: 'unread', why: 'its rules are not known here' };
    },
    askPlugin: async (pluginId, request) =>
      pluginId === 'catalog' ? askCatalog(request) : { status: 501, text: undefined },
    isMet: ({ pluginId, resourceType, conditions }, key) => {
      const entity = entities.get(key);
      if (pluginId !== 'catalog' || resourceType !== RESOURCE_TYPE || !entity) return;
      // As they arrive over the network.
      const sent = JSON.parse(JSON.stringify(conditions)) as typeof conditions;
      const result = AuthorizeResult.CONDITIONAL;
      try {
        return authorizes({ result, pluginId, resourceType, conditions: sent }, entity);
      } catch {
        return undefined;
      }
    },
  };
}

const RESOURCE_TYPE = 'catalog-entity';
const authorizes = createConditionAuthorizer(Object.values(permissionRules));

type AskCatalog = (
  request: Pick<Parameters<AskPlugin>[1], 'path' | 'body'>,
) => ReturnType<AskPlugin>;

/** The endpoints that the catalog itself has for permissions, asked without a socket. */
function catalog(entities: Entities): AskCatalog {
  const app = express();
  keepToItself(app);
  app.use(
    createPermissionIntegrationRouter({
      resourceType: RESOURCE_TYPE,
      permissions: [...catalogPermissions],
      rules: Object.values(permissionRules),
      getResources: async refs =>
        refs.map((ref): Entity | undefined => entities.get(ref)),
    }),
  );
  return async ({ path, body }) => {
    const { statusCode, payload } = await inject(app, {
      url: path,
      method: body === undefined ? 'GET' : 'POST',
      ...(body === undefined
        ? {}
        : { payload: body, headers: { 'content-type': 'application/json' } }),
    });
    return { status: statusCode, text: statusCode === 200 ? payload : undefined };
  };
}

/**
 * `inject` changes the prototypes of an app's requests and responses, which otherwise are those of all
 * apps of the process, those of a running backend included.
 */
function keepToItself(app: Record<'request' | 'response', object>): void {
  for (const key of ['request', 'response'] as const) {
    const shared = Object.getPrototypeOf(app[key]) as object;
    app[key] = copyOf(
      app[key],
      copyOf(shared, Object.getPrototypeOf(shared) as object),
    );
  }
}

const copyOf = (value: object, prototype: object): object =>
  Object.create(prototype, Object.getOwnPropertyDescriptors(value)) as object;
