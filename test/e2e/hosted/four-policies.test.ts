/**
 * Four policies from four independent packages decide in one backend by prefix, together with
 * OPA and ownership.
 */
import allowAllModule from '@backstage/plugin-permission-backend-module-allow-all-policy';
import rbacPlugin from '@backstage-community/plugin-rbac-backend';
import opaWrapperModule from '@parsifal-m/plugin-permission-backend-module-opa-wrapper';
import { parse } from 'yaml';
import { readFileSync } from 'node:fs';
import { hostPolicy } from '../../../src/index';
import { platformPolicyModule } from '../../fixtures/platform-policy';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type Question,
  type RunningBackend,
} from '../../support/backend';
import { startOpa, type OpaServer } from '../../support/opa-server';
import { endingRbac, untilGroupHasMembers } from '../../support/rbac';
import { verdictsByPermission } from '../../support/verdicts-by-permission';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

/** Far more than they take. */
const hosted = { type: 'hosted' };

const { permission: rbacConfig } = parse(
  readFileSync('test/fixtures/rbac/app-config.yaml', 'utf8'),
) as { permission: { rbac: object } };

const VAULT = 'component:default/payments-vault';
const UI = 'component:default/search-ui';

const QUESTIONS: readonly Question[] = [
  basic('docs.page.create', 'create'),
  basic('asked.by.name', 'read'),
  basic('unasked.by.name', 'read'),
  basic('invoices.read', 'read'),
  basic('invoices.void', 'delete'),
  basic('clusters.create', 'create'),
  onEntity('catalog.entity.read', 'read'),
  onEntity('catalog.entity.delete', 'delete'),
  onEntity('catalog.entity.delete', 'delete', VAULT),
  onEntity('catalog.entity.refresh', 'update'),
  onEntity('catalog.entity.refresh', 'update', UI),
  basic('catalog.location.create', 'create'),
  basic('payroll.read', 'read'),
];

describeWithOpa('four hosted policies', () => {
  let opa: OpaServer;
  let backend: RunningBackend;

  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: [
        'config/policies/backstage.rego',
        'test/fixtures/policies/opa-wrapper.rego',
      ],
    });
    backend = await endingRbac(() =>
      startBackend({
        features: [
          hostPolicy('everybody', allowAllModule),
          hostPolicy('wrapper', opaWrapperModule),
          hostPolicy('rbac', rbacPlugin),
          hostPolicy('platform', platformPolicyModule),
        ],
        config: {
          permission: {
            enabled: true,
            ...rbacConfig,
            opa: {
              baseUrl: opa.url,
              policy: { policyEntryPoint: 'opa_wrapper/decision' },
            },
            policyRouter: {
              fallback: 'deny',
              sources: {
                everybody: hosted,
                wrapper: hosted,
                rbac: hosted,
                platform: hosted,
                opa: {
                  type: 'opa',
                  baseUrl: opa.url,
                  entrypoint: 'backstage_policy/decision',
                },
                owners: { type: 'ownership' },
              },
              routes: [
                { prefix: 'docs', sources: ['everybody'] },
                { prefix: 'asked', sources: ['wrapper'] },
                { prefix: 'unasked', sources: ['wrapper'] },
                { prefix: 'invoices', sources: ['rbac'] },
                { prefix: 'clusters', sources: ['platform'] },
                { prefix: 'catalog', sources: ['opa'] },
                { prefix: 'catalog.entity.read', sources: ['wrapper'] },
                { prefix: 'catalog.entity.delete', sources: ['platform'] },
                { prefix: 'catalog.entity.refresh', sources: ['owners'] },
              ],
            },
          },
        },
      }),
    );
    const petra = await backend.signIn('petra');
    await untilGroupHasMembers(backend, petra, 'payments');
  }, 120_000);

  afterAll(async () => {
    await backend?.stop();
    await opa?.stop();
  });

  const A = 'ALLOW';
  const D = 'DENY';

  it.each([
    // docs, wrapper ×2, RBAC ×2, platform, wrapper, platform ×2, owners ×2, OPA, fallback
    ['olivia', [A, A, D, A, D, D, A, A, D, A, D, D, D]],
    ['nolan', [A, A, D, D, D, D, D, A, D, D, A, D, D]],
    ['petra', [A, A, D, A, A, A, A, A, A, D, D, A, D]],
  ])('decide for %s, each on its own prefix', async (name, expected) => {
    const token = await backend.signIn(name);
    const { status, results } = await authorize(backend.url, token, QUESTIONS);
    expect(status).toBe(200);
    const shown = (each: readonly string[]): string[] =>
      each.map((result, at) => `${QUESTIONS[at]?.permission.name}: ${result}`);
    expect(shown(results)).toEqual(shown(expected));
  });

  it('are named in the traces', async () => {
    const since = backend.traces.length;
    await authorize(backend.url, await backend.signIn('olivia'), QUESTIONS);
    expect(verdictsByPermission(backend.traces.slice(since))).toEqual({
      'docs.page.create': ["'docs'", 'everybody: ALLOW'],
      'asked.by.name': ["'asked'", 'wrapper: ALLOW'],
      'unasked.by.name': ["'unasked'", 'wrapper: DENY'],
      'invoices.read': ["'invoices'", 'rbac: ALLOW'],
      'invoices.void': ["'invoices'", 'rbac: DENY'],
      'clusters.create': ["'clusters'", 'platform: DENY'],
      'catalog.entity.read': ["'catalog.entity.read'", 'wrapper: CONDITIONAL'],
      'catalog.entity.delete': ["'catalog.entity.delete'", 'platform: CONDITIONAL'],
      'catalog.entity.refresh': ["'catalog.entity.refresh'", 'owners: CONDITIONAL'],
      'catalog.location.create': ["'catalog'", 'opa: DENY'],
      'payroll.read': ['fallback'],
    });
  });
});
