/**
 * A question that says everything is decided identically, whatever is known of the plugins; and
 * every source decides what was filled in.
 */
import type { Permission } from '@backstage/plugin-permission-common';
import fc from 'fast-check';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { permission } from '../fixtures/builders';
import { USER } from '../support/in-process';
import { patiently } from '../support/patience';
import { startRouter, type TestRouter } from '../support/router';
import { until } from '../support/until';

const NAMES = ['a', 'a.b', 'a.b.c', 'z'];
const action = fc.constantFrom(undefined, 'create', 'read', 'update', 'delete');
const anyPermission = fc
  .record({
    name: fc.constantFrom(...NAMES),
    action,
    resourceType: fc.constantFrom(
      undefined,
      'catalog-entity',
      'scaffolder-task',
      'other',
    ),
  })
  .map(({ name, ...fields }) => permission(name, fields));

const CONFIG = {
  fallback: 'deny',
  whenAskedWithoutResource: 'allow',
  sources: { ownership: { type: 'ownership' }, seen: { type: 'hosted' } },
  routes: [
    { prefix: 'a', sources: ['ownership', 'seen'], combine: 'allow-overrides' },
    { prefix: 'a.b', actions: ['read'], sources: ['allow'] },
    { prefix: 'a.b', actions: ['delete'], sources: ['ownership'], default: 'allow' },
    { prefix: 'a.b.c', resourceTypes: ['catalog-entity'], sources: ['ownership'] },
    { prefix: 'z', sources: ['seen'] },
  ],
};

let declared: readonly Permission[] = [];
const seen: Permission[] = [];
const routers: TestRouter[] = [];

async function start(plugins: boolean): Promise<TestRouter> {
  const policies = new ProvidedPolicies();
  policies.addSource('seen', {
    handle: async ({ permission: asked }) => {
      seen.push(asked);
      return { result: asked.attributes.action === 'read' ? 'ALLOW' : 'DENY' } as never;
    },
  });
  const router = await startRouter(patiently(CONFIG), {
    policies,
    ...(plugins
      ? {
          plugins: {
            installed: async () => ['one'],
            read: async () => ({ kind: 'published', body: { permissions: declared } }),
          },
        }
      : {}),
  });
  routers.push(router);
  return router;
}
afterEach(() => routers.splice(0).forEach(router => router.close()));

/** A router that knows what is declared. */
async function startInformed(permissions: readonly Permission[]): Promise<TestRouter> {
  declared = permissions;
  const router = await start(true);
  await until(async () => {
    await router.decide({ permission: permission('unknown') }, USER);
    return router.record?.declared === 'none';
  }, 'the plugins are read');
  return router;
}

it('decides what says everything as it does without declarations', async () => {
  const uninformed = await start(false);
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(anyPermission, { selector: each => each.name }),
      anyPermission,
      async (permissions, other) => {
        const informed = await startInformed(permissions);
        // In full, or of a name that is not declared.
        const questions = [...permissions, other].filter(
          asked =>
            permissions.includes(asked) ||
            asked.type === 'resource' ||
            !permissions.some(({ name }) => name === asked.name),
        );
        for (const asked of questions) {
          const decision = await informed.decide({ permission: asked }, USER);
          expect(decision).toEqual(
            await uninformed.decide({ permission: asked }, USER),
          );
          expect(informed.record?.asked).toBeUndefined();
        }
        informed.close();
      },
    ),
    { numRuns: 40 },
  );
});

it('lets a hosted policy decide what was filled in', async () => {
  const full = permission('z', { action: 'read', resourceType: 'catalog-entity' });
  const router = await startInformed([full]);
  seen.length = 0;
  await router.decide({ permission: permission('z') }, USER);
  expect(seen).toEqual([full]);
  expect(router.record).toMatchObject({ result: 'ALLOW', asked: permission('z') });
});

it('waits for no plugin', async () => {
  const policies = new ProvidedPolicies();
  policies.addSource('seen', { handle: async () => ({ result: 'ALLOW' }) as never });
  const router = await startRouter(patiently(CONFIG), {
    policies,
    plugins: { installed: async () => ['never'], read: () => new Promise(() => {}) },
  });
  routers.push(router);
  await expect(router.decide({ permission: permission('z') }, USER)).resolves.toEqual({
    result: 'ALLOW',
  });
  expect(router.record?.declared).toBe('unread');
});
