/** A routing table that decides here: the router of a backend, with what there is without one. */
import type {
  BackstageCredentials,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import type { Permission } from '@backstage/plugin-permission-common';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import type { JsonValue } from '@backstage/types';
import type { PluginMetadata } from '../../declared/plugin-metadata';
import { applyConditions, type Applied } from '../../operations/applied';
import type { Principal } from '../../request';
import { createRouter, type Router } from '../../router';
import type { DecisionRecord } from '../../trace/record';
import { CliError } from '../exit-code';
import { SILENT } from '../silent-logger';
import type { Entities } from './entities';
import { localPlugins } from './local-plugins';
import { CATALOG_ONLY, type Metadata } from './metadata';
import {
  localConfig,
  StandInPolicies,
  type LocalOpa,
  type StandIns,
} from './stand-ins';

export interface LocalRouterOptions {
  /** The value at `permission.policyRouter`. */
  readonly policyRouter: unknown;
  /** Default: the permissions and rules of the installed catalog. */
  readonly metadata?: Metadata | undefined;
  /** As the catalog has them. Default: none. */
  readonly entities?: Entities;
  /** Default: sources of type `opa` need stand-ins. */
  readonly opa?: LocalOpa;
  /** Default: none. */
  readonly standIns?: StandIns;
  /** Whether what a question leaves out is filled in as its plugin declares it. Default: true. */
  readonly completes?: boolean;
}

export interface Decided {
  /** What the table decides; under `observe` this is the recorded decision. */
  readonly record: Readonly<DecisionRecord>;
  /** Sources that were asked, but have no stand-in: the record is not to be trusted. */
  readonly missing: readonly string[];
}

export class LocalRouter {
  private constructor(
    private readonly router: Router,
    private readonly policies: StandInPolicies,
    private readonly plugins: Awaited<ReturnType<typeof localPlugins>>,
    private readonly nextRecord: () => Promise<DecisionRecord>,
  ) {}

  /**
   * Sets up the sources, and waits for what the plugins declare.
   *
   * @throws ConfigError with every problem of the config.
   */
  static async open({
    policyRouter,
    metadata = CATALOG_ONLY,
    entities = new Map(),
    opa = {},
    standIns = new Map(),
    completes = true,
  }: LocalRouterOptions): Promise<LocalRouter> {
    const { raw, hosted } = localConfig(policyRouter, opa);
    const policies = new StandInPolicies(hosted, standIns);
    const plugins = await localPlugins(metadata, entities);
    let received = (_record: DecisionRecord): void => {};
    const nextRecord = () =>
      new Promise<DecisionRecord>(resolve => {
        received = resolve;
      });
    const router = await createRouter({
      config: new ConfigReader({ permission: { policyRouter: raw as JsonValue } }),
      services: {
        logger: SILENT,
        userInfo: { getUserInfo: () => Promise.reject(new Error('no backend')) },
        readRules: pluginId => plugins.readRules(pluginId),
        plugins: {
          installed: async () => plugins.ids,
          read: async pluginId =>
            completes ? plugins.read(pluginId) : DECLARES_NOTHING,
        },
        policies,
      },
      sinks: [record => received(record)],
    });
    await untilDeclared(router);
    return new LocalRouter(router, policies, plugins, nextRecord);
  }

  /** The table, its warnings and what is declared. */
  get table(): Pick<Router, 'startConfig' | 'policy' | 'declared'> {
    return this.router;
  }

  /**
   * Decides one question as a backend does; one after the other.
   *
   * @param user - undefined for a request without a user.
   * @param standIns - in place of those given before.
   */
  async decide(
    permission: Permission,
    user: Principal | undefined,
    standIns?: StandIns,
  ): Promise<Decided> {
    if (standIns) this.policies.use(standIns);
    const record = this.nextRecord();
    await this.router.policy.handle({ permission }, user && queryUser(user));
    this.router.flush();
    const decided = await record;
    const asked = new Set(namesIn(decided));
    const missing = this.policies.takeMissing().filter(name => asked.has(name));
    return { record: decided, missing };
  }

  /**
   * What the catalog makes of the conditions of a decision for one of the entities.
   *
   * @param record - conditional.
   * @param key - of the entity in those given.
   */
  apply(record: Readonly<DecisionRecord>, key: string): Promise<Applied> {
    return applyConditions(conditionalOf(record), key, this.plugins.askPlugin, true);
  }

  /**
   * The same without what each rule is; much faster.
   *
   * @returns undefined if `apply` must be asked.
   */
  isMet(record: Readonly<DecisionRecord>, key: string): boolean | undefined {
    return this.plugins.isMet(conditionalOf(record), key);
  }

  close(): void {
    this.router.close();
  }
}

const DECLARES_NOTHING: PluginMetadata = {
  kind: 'published',
  body: { permissions: [] },
};

/** The sources that had a part in it; others may have been asked beside it, for a comparison. */
const namesIn = ({ sources }: Readonly<DecisionRecord>): string[] =>
  sources.flatMap(({ source, attempts = [] }) => [
    source,
    ...attempts.map(attempt => attempt.source),
  ]);

/** The verdict in a conditional record. */
function conditionalOf({ pluginId, conditions, permission }: Readonly<DecisionRecord>) {
  const resourceType = permission?.type === 'resource' ? permission.resourceType : '';
  return { pluginId: pluginId!, resourceType, conditions: conditions! };
}

/** What is read here needs a few turns of the event loop, and no time. */
const MAX_TURNS = 10_000;

async function untilDeclared({ declared }: Router): Promise<void> {
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    if (declared.all().isSettled) return;
    await new Promise(setImmediate);
  }
  throw new CliError('what the plugins declare could not be read');
}

/** As the permission backend gives a user to the policy. */
function queryUser({
  userEntityRef = '',
  ownershipEntityRefs,
}: Principal): PolicyQueryUser {
  const credentials: BackstageCredentials<BackstageUserPrincipal> = {
    $$type: '@backstage/BackstageCredentials',
    principal: { type: 'user', userEntityRef },
  };
  const info = { userEntityRef, ownershipEntityRefs: [...ownershipEntityRefs] };
  return { credentials, info };
}
