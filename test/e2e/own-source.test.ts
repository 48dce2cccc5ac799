/** A module written for the router provides a source that can abstain: the example of docs/hosting.md. */
import { resolve } from 'node:path';
import { coreServices, createBackendModule } from '@backstage/backend-plugin-api';
import { policySourceExtensionPoint } from '../../src/index';
import { contractorsModule } from '../fixtures/hosting/contractors';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../support/backend';

const config = (changes: object = {}): object => ({
  fallback: 'deny',
  sources: { contractors: { type: 'hosted' }, ownership: { type: 'ownership' } },
  routes: [
    {
      prefix: 'catalog.entity',
      actions: ['delete'],
      sources: ['contractors', 'ownership'],
    },
    { prefix: 'catalog', sources: ['contractors'], default: 'allow' },
    { prefix: 'tested', sources: ['contractors'] },
  ],
  ...changes,
});

let backend: RunningBackend;
let olivia: string;
let carla: string;

let late = '';
/** Tries to add a source after the backend has started, which must not affect later reloads. */
const lateModule = createBackendModule({
  pluginId: 'permission',
  moduleId: 'late-source',
  register(registration) {
    registration.registerInit({
      deps: { router: policySourceExtensionPoint, lifecycle: coreServices.lifecycle },
      async init({ router, lifecycle }) {
        lifecycle.addStartupHook(() => {
          const source = {
            handle: async () => ({ result: 'NOT_APPLICABLE' }) as const,
          };
          try {
            router.addSource('late', source);
          } catch (error) {
            late = String(error);
          }
        });
      },
    });
  },
});

beforeAll(async () => {
  backend = await startBackend({
    policyRouter: config(),
    features: [contractorsModule, lateModule],
    config: {
      catalog: {
        rules: [{ allow: ['Component', 'Group', 'User'] }],
        locations: [
          'dev/catalog/entities.yaml',
          'test/fixtures/catalog/contractors.yaml',
        ].map(file => ({ type: 'file', target: resolve(file) })),
      },
    },
  });
  olivia = await backend.signIn('olivia');
  carla = await backend.signIn('carla');
});

afterAll(() => backend.stop());

const ask = async (token: string): Promise<readonly string[]> => {
  const { status, results } = await authorize(backend.url, token, [
    onEntity('catalog.entity.delete', 'delete'),
    onEntity('catalog.entity.delete', 'delete', 'component:default/search-ui'),
    onEntity('catalog.entity.refresh', 'update'),
    basic('tested.thing.delete', 'delete'),
    basic('tested.thing.read', 'read'),
  ]);
  expect(status).toBe(200);
  return results;
};

it('a source of your own decides what it knows and leaves the rest to other sources', async () => {
  // Both are in the team that owns payments-api.
  expect(await ask(olivia)).toEqual(['ALLOW', 'DENY', 'ALLOW', 'DENY', 'DENY']);
  expect(await ask(carla)).toEqual(['DENY', 'DENY', 'ALLOW', 'DENY', 'DENY']);
});

it('the trace names the source and its verdict', async () => {
  const since = backend.traces.length;
  await ask(carla);
  const [deleted] = backend.traces.slice(since);
  expect(deleted).toMatchObject({
    route: "'catalog.entity' [delete]",
    sources: [
      { source: 'contractors', verdict: 'DENY', reason: 'the policy says DENY' },
      { source: 'ownership', verdict: 'NOT_ASKED' },
    ],
  });
  expect(backend.traces.slice(since).map(trace => trace.sources[0]!.verdict)).toEqual([
    'DENY',
    'DENY',
    'NOT_APPLICABLE',
    'DENY',
    'NOT_APPLICABLE',
  ]);
});

it('there is no warning on a route with other sources, because the source can abstain', () => {
  const warnings = backend.logs.lines.filter(({ level }) => level === 'warn');
  expect(warnings.map(({ message }) => message).join('\n')).not.toContain('abstains');
});

it('a source cannot be added once the router has started', () => {
  expect(late).toMatch(/^Error: addSource\("late", …\) provided its policy too late/);
});

describe('a reload', () => {
  /** Writes the config and waits for the line that reports the outcome. */
  const change = async (policyRouter: object, line: string): Promise<string> => {
    const since = backend.logs.lines.length;
    await backend.writeConfig(policyRouter);
    return (await backend.logs.waitFor(line, since)).message;
  };

  it('is refused if it removes the source, because the next start would fail', async () => {
    const refused = await change(
      config({
        sources: { ownership: { type: 'ownership' } },
        routes: [{ prefix: '', sources: ['ownership'] }],
      }),
      'The changed config is not used',
    );
    expect(refused).toContain(
      'a module provides the policy "contractors", but no source has this name',
    );
    expect(await ask(carla)).toEqual(['DENY', 'DENY', 'ALLOW', 'DENY', 'DENY']);
  });

  it('is used if it changes the limits of the source, which keeps its policy', async () => {
    await change(
      config({
        sources: {
          contractors: { type: 'hosted', timeout: '90s', concurrency: 1 },
          ownership: { type: 'ownership' },
        },
      }),
      'The changed config is in use',
    );
    expect(await ask(carla)).toEqual(['DENY', 'DENY', 'ALLOW', 'DENY', 'DENY']);
  });
});
