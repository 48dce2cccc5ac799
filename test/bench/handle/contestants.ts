/** Who is measured in this process. */
import { ConfigReader } from '@backstage/config';
import {
  AuthorizeResult,
  type PolicyDecision,
} from '@backstage/plugin-permission-common';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import opaWrapperModule from '@parsifal-m/plugin-permission-backend-module-opa-wrapper';
import { ENTRYPOINT, opa, OWNED, type Sources } from '../authorize/contestants';
import { UndiciPolicy } from '../authorize/policies';
import { OwnerPolicy } from '../owner-policy';
import { routerTo } from '../shipped-router';
import type { Named } from './questions';

export interface InProcess {
  readonly contestants: readonly Named[];
  readonly close: () => Promise<void>;
}

const CONDITIONAL = AuthorizeResult.CONDITIONAL;

/** @param only - ids; all if undefined. */
export async function startInProcess(
  sources: Sources,
  only: readonly string[] | undefined,
): Promise<InProcess> {
  const closing: Array<() => unknown> = [];
  const settings = { deadline: '30s' };
  const router = async (source: string, definition?: object) => {
    const started = await routerTo(source, {
      settings,
      sources: definition ? { [source]: definition } : {},
    });
    closing.push(() => started.close());
    return started.undelayed;
  };
  const undici = (): PermissionPolicy => {
    const policy = new UndiciPolicy(sources.opaUrl);
    closing.push(() => policy.close());
    return policy;
  };
  const remote = (
    id: string,
    title: string,
    start: () => PermissionPolicy | Promise<PermissionPolicy>,
  ) => ({
    id,
    title,
    start,
    inProcess: false,
    expected: CONDITIONAL as AuthorizeResult,
  });
  const local: typeof remote = (id, title, start) => ({
    ...remote(id, title, start),
    inProcess: true,
  });
  const all = [
    remote('opa-wrapper', 'opa-wrapper 2.0.2', () => wrapperPolicy(sources.opaUrl)),
    remote('opa-unix', 'router: OPA over a Unix socket', () =>
      router('measured', opa(sources.opaSocket)),
    ),
    remote('opa', 'router: OPA over TCP', () =>
      router('measured', opa(sources.opaUrl)),
    ),
    remote('undici', 'bare undici policy', undici),
    remote('opa-batch', 'router: OPA with batch', () =>
      router('measured', { ...opa(sources.opaUrl), batch: sources.batch }),
    ),
    local('wasm', 'router: Wasm', () =>
      router('measured', {
        type: 'opa-wasm',
        bundle: sources.bundle,
        entrypoint: ENTRYPOINT,
      }),
    ),
    local('conditions', 'router: conditions in YAML', () =>
      router('measured', {
        type: 'conditions',
        rules: [
          {
            resourceTypes: ['catalog-entity'],
            pluginId: 'catalog',
            conditions: OWNED,
          },
        ],
      }),
    ),
    local('ownership', 'router: ownership', () => router('ownership')),
    local('owner', 'hand-written owner policy', () => new OwnerPolicy()),
    local('hosted', 'router: that policy, hosted', () => router('hosted')),
    {
      ...local('native', 'router: allow', () => router('allow')),
      expected: AuthorizeResult.ALLOW,
    },
    {
      ...local('allow-all', 'allow-all', () => new AllowAllPolicy()),
      expected: AuthorizeResult.ALLOW,
    },
  ].filter(({ id }) => only === undefined || only.includes(id));
  const contestants: Named[] = [];
  const close = async (): Promise<void> => {
    for (const each of closing) await each();
  };
  try {
    for (const { start, ...named } of all) {
      const isRouter = named.title.startsWith('router');
      contestants.push({ ...named, isRouter, policy: await start() });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { contestants, close };
}

class AllowAllPolicy implements PermissionPolicy {
  async handle(): Promise<PolicyDecision> {
    return { result: AuthorizeResult.ALLOW };
  }
}

/** The policy that the module sets, which the module does not export. */
async function wrapperPolicy(opaUrl: string): Promise<PermissionPolicy> {
  const { getRegistrations } = opaWrapperModule as unknown as {
    getRegistrations: () => Array<{ init: { func(deps: object): Promise<void> } }>;
  };
  let policy: PermissionPolicy | undefined;
  const silent = () => {};
  await getRegistrations()[0]!.init.func({
    config: new ConfigReader({
      permission: {
        opa: {
          baseUrl: opaUrl,
          policy: { policyEntryPoint: ENTRYPOINT, policyFallbackDecision: 'deny' },
        },
      },
    }),
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    policy: {
      setPolicy: (set: PermissionPolicy) => {
        policy = set;
      },
    },
  });
  return policy!;
}
