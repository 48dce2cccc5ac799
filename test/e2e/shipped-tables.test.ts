/**
 * The tables of config/, used as shipped: who gets what, by name, for every permission that an
 * installed plugin declares and for those of common other plugins. docs/routing.md has the result,
 * so a new permission, or a changed decision, makes the page differ. After reviewing it:
 *
 *   UPDATE_DOCS=1 npx jest test/e2e/shipped-tables.test.ts
 */
import { readFileSync } from 'node:fs';
import { coreServices, createBackendPlugin } from '@backstage/backend-plugin-api';
import type { Permission } from '@backstage/plugin-permission-common';
import { parse } from 'yaml';
import { DECLARED_ELSEWHERE } from '../fixtures/declared-elsewhere';
import { authorize, type Question, type RunningBackend } from '../support/backend';
import { allIngested } from '../support/ingestion';
import { policyRouter as leastPrivilege } from '../support/least-privilege';
import { MadePart } from '../support/made-part';
import { startScaffolderBackend } from '../support/scaffolder';
import { ScaffolderClient } from '../support/scaffolder-client';

interface Family {
  readonly title: string;
  readonly source: string;
  readonly permissions: readonly Permission[];
}

const METADATA = '.well-known/backstage/permissions/metadata';
const NAMES = ['olivia', 'nolan', 'petra'] as const;
const PART = new MadePart('docs/routing.md', 'test/e2e/shipped-tables.test.ts');

const embedded = (
  parse(readFileSync('config/app-config.embedded.yaml', 'utf8')) as {
    permission: { policyRouter: object };
  }
).permission.policyRouter;

/** Who is allowed, by what the owner, another user and the platform team get. */
const WHO: Readonly<Record<string, string>> = {
  'ALLOW ALLOW ALLOW': 'everyone',
  'ALLOW DENY ALLOW': 'owner, platform',
  'DENY DENY ALLOW': 'platform',
  'DENY DENY DENY': 'nobody',
};

/** A backend with one of the tables, and what is needed to ask it as everyone. */
class Asked {
  readonly backend: RunningBackend;
  readonly #users: readonly ScaffolderClient[];
  readonly #task: string;

  private constructor(
    backend: RunningBackend,
    users: readonly ScaffolderClient[],
    task: string,
  ) {
    this.backend = backend;
    this.#users = users;
    this.#task = task;
  }

  static async start(policyRouter: object, plugins: string[] = []): Promise<Asked> {
    const backend = await startScaffolderBackend(policyRouter, [noting(plugins)]);
    try {
      const users: ScaffolderClient[] = [];
      for (const name of NAMES)
        users.push(new ScaffolderClient(backend.url, await backend.signIn(name)));
      const [olivia, , petra] = users;
      await allIngested(backend.url, petra!.token);
      await petra!.templateIsIngested();
      const { id } = await olivia!.run({ message: 'hello', approval: 'given' });
      return new Asked(backend, users, id);
    } catch (error) {
      await backend.stop();
      throw error;
    }
  }

  /** Empty if the plugin declares none. */
  async declaredBy(plugin: string): Promise<readonly Permission[]> {
    const response = await fetch(`${this.backend.url}/api/${plugin}/${METADATA}`, {
      headers: { authorization: `Bearer ${this.#users[0]!.token}` },
    });
    if (response.status === 404) {
      await response.arrayBuffer();
      return [];
    }
    expect(response.status).toBe(200);
    return (
      ((await response.json()) as { permissions?: Permission[] }).permissions ?? []
    );
  }

  /** By the permission's name. */
  async whoGets(permissions: readonly Permission[]): Promise<Map<string, string>> {
    const questions = permissions.map(permission => this.#questionOf(permission));
    const answers: Array<readonly string[]> = [];
    for (const { token } of this.#users) {
      const { results } = await authorize(this.backend.url, token, questions);
      answers.push(results);
    }
    return new Map(
      permissions.map(({ name }, index) => {
        const results = answers.map(each => each[index]).join(' ');
        return [name, WHO[results] ?? results];
      }),
    );
  }

  #questionOf(permission: Permission): Question {
    if (permission.type !== 'resource') return { permission };
    const refs: Readonly<Record<string, string>> = {
      'catalog-entity': 'component:default/payments-api',
      'scaffolder-task': this.#task,
      'scaffolder-template': 'template:default/new-service',
      'scaffolder-action': 'debug:log',
    };
    return { permission, resourceRef: refs[permission.resourceType] ?? 'any' };
  }
}

/** Puts the ids of the installed plugins into `ids` when it starts. */
const noting = (ids: string[]) =>
  createBackendPlugin({
    pluginId: 'noting',
    register(registration) {
      registration.registerInit({
        deps: { metadata: coreServices.rootInstanceMetadata },
        async init({ metadata }) {
          const plugins = await metadata.getInstalledPlugins();
          ids.push(
            ...plugins.map(({ pluginId }) => pluginId).filter(id => id !== 'noting'),
          );
        },
      });
    },
  });

function render(
  families: readonly Family[],
  routing: ReadonlyMap<string, string>,
  least: ReadonlyMap<string, string>,
): string {
  const sections = families.flatMap(({ title, source, permissions }) => [
    `### ${title}`,
    '',
    `From ${source}.`,
    '',
    '| name | type | action | `routing.yaml` | `least-privilege.yaml` |',
    '| --- | --- | --- | --- | --- |',
    ...permissions.map(permission =>
      [
        '',
        `\`${permission.name}\``,
        permission.type === 'resource' ? `\`${permission.resourceType}\`` : 'basic',
        permission.attributes.action ?? 'none',
        routing.get(permission.name),
        least.get(permission.name),
        '',
      ]
        .join(' | ')
        .trim(),
    ),
    '',
  ]);
  const ignored = ['<!-- prettier-ignore-start -->', '', ...sections];
  return ['', '', ...ignored, '<!-- prettier-ignore-end -->', '', ''].join('\n');
}

const byName = (a: Permission, b: Permission): number => (a.name < b.name ? -1 : 1);

describe('the shipped tables', () => {
  const plugins: string[] = [];
  let routing: Asked;
  let least: Asked;
  let families: Family[];
  let all: Permission[];
  let byRouting: Map<string, string>;
  let byLeast: Map<string, string>;

  beforeAll(async () => {
    routing = await Asked.start(embedded, plugins);
    least = await Asked.start(leastPrivilege);
    families = [];
    for (const plugin of plugins.sort()) {
      const permissions = [...(await routing.declaredBy(plugin))].sort(byName);
      if (permissions.length > 0) {
        const title = plugin.charAt(0).toUpperCase() + plugin.slice(1);
        const source = `the installed plugin \`${plugin}\``;
        families.push({ title, source, permissions });
      }
    }
    for (const { family, source, permissions } of DECLARED_ELSEWHERE)
      families.push({ title: family, source, permissions });
    all = families.flatMap(({ permissions }) => permissions);
    byRouting = await routing.whoGets(all);
    byLeast = await least.whoGets(all);
  }, 180_000);

  afterAll(async () => {
    await routing?.backend.stop();
    await least?.backend.stop();
  });

  it('are asked about every installed plugin, and about no name twice', () => {
    expect(plugins).toEqual(
      expect.arrayContaining(['auth', 'catalog', 'permission', 'scaffolder']),
    );
    expect(families.map(({ title }) => title)).toEqual(
      expect.arrayContaining(['Catalog', 'Scaffolder']),
    );
    expect(byRouting.size).toBe(all.length);
  });

  it('give everyone what docs/routing.md says', () => {
    const text = render(families, byRouting, byLeast);
    if (process.env.UPDATE_DOCS) PART.write(text);
    expect(PART.read()).toBe(text);
  });

  it('open these to everyone, and nothing else', () => {
    const open = (decided: ReadonlyMap<string, string>): string[] =>
      [...decided].filter(([, who]) => who === 'everyone').map(([name]) => name);
    const opened = [
      'catalog.entity.read',
      'catalog.location.read',
      'scaffolder.action.execute',
      'scaffolder.task.create',
      'scaffolder.template.parameter.read',
      'scaffolder.template.step.read',
      'techdocs.actions.read',
    ];
    expect(open(byRouting)).toEqual(opened);
    expect(open(byLeast)).toEqual(opened);
  });

  it('ask owners about these, and nothing else', () => {
    const owned = (decided: ReadonlyMap<string, string>): string[] =>
      [...decided].filter(([, who]) => who.startsWith('owner')).map(([name]) => name);
    const names = [
      'catalog.entity.delete',
      'catalog.entity.refresh',
      'scaffolder.task.cancel',
      'scaffolder.task.read',
    ];
    expect(owned(byRouting)).toEqual(names);
    expect(owned(byLeast)).toEqual(names);
  });

  it('start without a warning', () => {
    for (const { backend } of [routing, least]) {
      const warnings = backend.logs.lines.filter(
        ({ level, meta }) => level === 'warn' && meta.plugin === 'permission',
      );
      expect(warnings).toEqual([]);
    }
  });
});
