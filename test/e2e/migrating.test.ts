/**
 * The guides in docs/migrating, followed literally: their diffs say which modules a backend has,
 * and their YAML is its config. The first table of each must change no decision; its first step
 * must change only the decisions that the guide names.
 */
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createBackendModule,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import allowAllModule from '@backstage/plugin-permission-backend-module-allow-all-policy';
import rbacModule from '@backstage-community/plugin-rbac-backend';
import opaWrapperModule from '@parsifal-m/plugin-permission-backend-module-opa-wrapper';
import { parse, stringify } from 'yaml';
import { catalogNames } from '../../dev/checks';
import { hostPolicy } from '../../src/index';
import { createPolicyRouter } from '../../src/feature';
import classModule from '../fixtures/migrating/policy-class';
import sourceModule from '../fixtures/migrating/policy-source';
import openchoreoModule from '../fixtures/openchoreo/module';
import { NAMESPACED_RESOURCE } from '../fixtures/openchoreo/names';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  temporaryFolder,
  type Question,
  type RunningBackend,
  type BackendOptions,
} from '../support/backend';
import {
  below,
  byOwnership,
  COMMON_QUESTIONS,
  decisionsOf,
  outside,
  PEOPLE,
  resultsIn,
  type Decisions,
  type Person,
} from '../support/decisions';
import { withoutDigests } from '../support/digest';
import { addedBy, Guide } from '../support/guide';
import { allIngested } from '../support/ingestion';
import { startOpa, type OpaServer } from '../support/opa-server';
import { headersOf, idpTokenOf, startOpenChoreoBackend } from '../support/openchoreo';
import { startProfileApi, type ProfileApi } from '../support/profile-api';
import { endingRbac, untilGroupHasMembers } from '../support/rbac';
import { verdictsByPermission } from '../support/verdicts-by-permission';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const entry = new Guide('docs/migrating.md');

const OWN_NAME = (JSON.parse(readFileSync('package.json', 'utf8')) as { name: string })
  .name;
const WRAPPER = '@parsifal-m/plugin-permission-backend-module-opa-wrapper';

const MODULES: Readonly<Record<string, BackendFeature>> = {
  '@backstage/plugin-permission-backend-module-allow-all-policy': allowAllModule,
  [WRAPPER]: opaWrapperModule,
  '@backstage-community/plugin-rbac-backend': rbacModule,
  // The published module needs packages from another registry.
  '@openchoreo/backstage-plugin-permission-backend-module-openchoreo-policy':
    openchoreoModule,
  './extensions/permissionsPolicyExtension': classModule,
};

/** What a backend is made of: the lines of its index.ts, and its app-config files. */
interface State {
  readonly code: string;
  readonly config: readonly string[];
  /** Replace those in `MODULES`. */
  readonly modules?: Readonly<Record<string, BackendFeature>>;
}

type Start = (options: BackendOptions) => Promise<RunningBackend>;

/** Runs a backend in this state for as long as `use` takes. */
async function running<T>(
  { code, config, modules = {} }: State,
  use: (backend: RunningBackend) => Promise<T>,
  start: Start = startBackend,
): Promise<T> {
  const folder = await temporaryFolder();
  try {
    const configFiles = config.map((_text, index) => join(folder, `${index}.yaml`));
    for (const [index, file] of configFiles.entries()) {
      await writeFile(file, config[index]!);
    }
    const features = featuresOf(code, { ...MODULES, ...modules });
    const backend = await start({ ...features, configFiles });
    try {
      return await use(backend);
    } finally {
      await backend.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A test backend has the permission plugin and, unless another policy is given, the router. */
function featuresOf(
  code: string,
  modules: Readonly<Record<string, BackendFeature>>,
): Pick<BackendOptions, 'policy' | 'features'> {
  const [permission, ...added] = addedBy(code);
  expect(permission).toEqual({ specifier: '@backstage/plugin-permission-backend' });
  const others = added.filter(({ specifier }) => specifier !== OWN_NAME);
  const features = others.map(({ specifier, hostedAs }) => {
    const feature = modules[specifier];
    if (!feature) throw new Error(`no module is known for '${specifier}'`);
    return hostedAs === undefined ? feature : hostPolicy(hostedAs, feature);
  });
  if (others.length < added.length) return { features };
  expect(features).toHaveLength(1);
  return { policy: features[0]! };
}

/** Includes the questions of the page. */
const QUESTIONS: readonly Question[] = [
  ...COMMON_QUESTIONS,
  ...(
    JSON.parse(entry.block('Before you begin', 'json')) as { items: Question[] }
  ).items.map(({ permission, resourceRef }) => ({
    permission,
    ...(resourceRef === undefined ? {} : { resourceRef }),
  })),
];

interface Seen {
  readonly decisions: Decisions;
  /** What each person finds in the catalog. */
  readonly lists: readonly string[][];
  /** The log's messages. */
  readonly lines: readonly string[];
}

/** Everything that a guide says about a running backend. Petra may see all of the catalog. */
async function look(backend: RunningBackend): Promise<Seen> {
  const { url, logs } = backend;
  const petra = await backend.signIn('petra');
  await allIngested(url, petra);
  await untilGroupHasMembers(backend, petra, 'payments');
  await untilGroupHasMembers(backend, petra, 'search');
  const decisions = await decisionsOf(QUESTIONS, async (person, questions) =>
    authorize(url, await backend.signIn(person), questions),
  );
  const lists = PEOPLE.map(async person =>
    catalogNames(url, await backend.signIn(person)),
  );
  return {
    decisions,
    lists: await Promise.all(lists),
    lines: logs.lines.map(({ message }) => message),
  };
}

function expectSame(seen: Seen, before: Seen): void {
  expect(seen.decisions).toEqual(before.decisions);
  expect(seen.lists).toEqual(before.lists);
}

/** Owners now have this permission on what they own; every other decision is unchanged. */
function expectOwnersMay(
  [name, action]: readonly [string, string],
  seen: Seen,
  before: Seen,
  bypassed?: Person,
): void {
  expect(outside(seen.decisions, name)).toEqual(outside(before.decisions, name));
  expect(below(seen.decisions, name)).toEqual(byOwnership(name, action, bypassed));
  expect(seen.lists).toEqual(before.lists);
}

/** The lines that the guide says the log has. */
function expectLogged({ lines }: Seen, guide: Guide): void {
  const logged = lines.map(withoutDigests);
  for (const line of guide.block('Check', 'text').trim().split('\n')) {
    expect(logged).toContain(withoutDigests(line));
  }
}

const guides = ['allow-all', 'policy-class', 'opa-wrapper', 'rbac', 'openchoreo'];

it.each(guides)(
  'the diff of the %s guide starts from the code it shows first',
  name => {
    const guide = new Guide(`docs/migrating/${name}.md`);
    expect(guide.block('Before', 'ts')).toBe(
      `// packages/backend/src/index.ts\n${guide.change('The change').before}`,
    );
  },
);

describe('from allow-all', () => {
  const guide = new Guide('docs/migrating/allow-all.md');
  const { before, after } = guide.change('The change');
  const start: State = { code: before, config: [guide.block('Before', 'yaml')] };
  const first: State = { code: after, config: [guide.block('The change', 'yaml')] };
  let atStart: Seen;

  beforeAll(async () => {
    atStart = await running(start, look);
    expect(resultsIn(atStart.decisions)).toEqual(['ALLOW']);
  });

  it('the first table changes nothing', async () => {
    const seen = await running(first, look);
    expectSame(seen, atStart);
    expectLogged(seen, guide);
  });

  it('after the first step only owners may delete', async () => {
    const step = { code: after, config: [guide.block('The first step', 'yaml')] };
    const seen = await running(step, look);
    expectOwnersMay(['catalog.entity.delete', 'delete'], seen, atStart);
  });

  it('`anonymous: evaluate` changes nothing where requests need no user', async () => {
    const config = readFileSync('test/fixtures/app-config.anonymous.yaml', 'utf8');
    const evaluate = entry.block('What behaves differently', 'yaml');
    const questions = QUESTIONS.filter(({ resourceRef }) => resourceRef === undefined);
    const ask = async (state: State, more = ''): Promise<unknown> => {
      const files = [config, ...state.config, more];
      return running({ ...state, config: files }, async ({ url }) => {
        const { results } = await authorize(url, undefined, questions);
        return [...new Set(results)];
      });
    };
    expect(await ask(start)).toEqual(['ALLOW']);
    expect(await ask(first)).toEqual(['DENY']);
    expect(await ask(first, evaluate)).toEqual(['ALLOW']);
  });
});

describe('from a policy class of your own', () => {
  const guide = new Guide('docs/migrating/policy-class.md');
  const { before, after } = guide.change('The change');
  let atStart: Seen;

  beforeAll(async () => {
    const start = { code: before, config: [guide.block('Before', 'yaml')] };
    atStart = await running(start, look);
    expect(resultsIn(atStart.decisions)).toEqual(['ALLOW', 'DENY']);
  });

  it.each([
    ['Before', 'policy-class.ts'],
    ['Less of the class', 'policy-source.ts'],
  ])('the code under "%s" is the code that this test runs', (heading, file) => {
    const code = readFileSync(`test/fixtures/migrating/${file}`, 'utf8');
    const shown = code.replace("'../../../src'", `'${OWN_NAME}'`);
    expect(guide.all(heading, 'ts')).toContain(shown);
  });

  it('the first table changes nothing', async () => {
    const first = { code: after, config: [guide.block('The change', 'yaml')] };
    const seen = await running(first, look);
    expectSame(seen, atStart);
    expectLogged(seen, guide);
  });

  it('the first step changes only which source decides', async () => {
    const step = { code: after, config: [guide.block('The first step', 'yaml')] };
    await running(step, async backend => {
      expectSame(await look(backend), atStart);
      const verdicts = verdictsByPermission(backend.traces);
      expect(verdicts['catalog.entity.delete']![1]).toMatch(/^ownership: /);
      expect(verdicts['catalog.entity.refresh']![1]).toMatch(/^ownership: /);
      expect(verdicts['catalog.location.create']![1]).toMatch(/^custom: /);
    });
  });

  it('removing a part of the class changes nothing', async () => {
    const less = guide.change('Less of the class');
    expect(less.before).toBe(after);
    const state = {
      code: less.after,
      config: [guide.block('Less of the class', 'yaml')],
      modules: { './extensions/permissionsPolicyExtension': sourceModule },
    };
    await running(state, async backend => {
      expectSame(await look(backend), atStart);
      const asked = backend.traces.flatMap(({ permission, sources }) =>
        sources.some(({ source }) => source === 'custom') ? [permission?.name] : [],
      );
      expect(new Set(asked)).toEqual(new Set(['catalog.location.create']));
    });
  });
});

/** What the wrapper accepts and `type: opa` does not. */
const HABITS = `package habits

import rego.v1

decision := {"result": "ALLOW", "message": "…"} if input.permission.name == "further.keys"
`;

describeWithOpa('from the OPA wrapper', () => {
  const guide = new Guide('docs/migrating/opa-wrapper.md');
  const readme = new Guide(`node_modules/${WRAPPER}/README.md`);
  const hosting = guide.change('The change');
  const replacing = guide.change('Replaced');
  let folder: string;
  let opa: OpaServer;
  let atStart: Seen;

  const configs = (...headings: string[]): string[] =>
    headings.map(heading =>
      guide.block(heading, 'yaml').replaceAll('http://localhost:8181', opa.url),
    );
  const alone = (): State => ({ code: hosting.before, config: configs('Before') });
  const hosted = (): State => ({
    code: hosting.after,
    config: configs('Before', 'The change'),
  });
  const replaced = (heading = 'Replaced'): State => ({
    code: replacing.after,
    config: configs(heading),
  });

  beforeAll(async () => {
    folder = await temporaryFolder();
    const policies = [
      join(folder, 'policy.rego'),
      join(folder, 'habits.rego'),
    ] as const;
    await writeFile(policies[0], readme.block('An Example Policy and Input', 'rego'));
    await writeFile(policies[1], HABITS);
    opa = await startOpa({ binary: requireOpa(), policies });
    atStart = await running(alone(), look);
    expect(resultsIn(atStart.decisions)).toEqual(['ALLOW', 'DENY']);
  });

  afterAll(async () => {
    await opa?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('hosting the wrapper changes nothing', async () => {
    const seen = await running(hosted(), look);
    expectSame(seen, atStart);
    expectLogged(seen, guide);
  });

  it('replacing the wrapper changes nothing, with the Rego of its README', async () => {
    expect(replacing.before).toBe(hosting.after);
    const seen = await running(replaced(), look);
    expectSame(seen, atStart);
    expectLogged(seen, guide);
  });

  it('after the first step owners may refresh', async () => {
    const seen = await running(replaced('The first step'), look);
    expectOwnersMay(['catalog.entity.refresh', 'update'], seen, atStart);
  });

  it('the replacement differs as the guide says', async () => {
    const ask = async (state: State): Promise<unknown> => {
      const config = state.config.map(text =>
        text.replaceAll('backstage_policy/decision', 'habits/decision'),
      );
      return running({ ...state, config }, async backend => {
        const { url, logs } = backend;
        const token = await backend.signIn('olivia');
        const further = await authorize(url, token, [basic('further.keys')]);
        const none = await authorize(url, token, [basic('no.default')]);
        const codes = logs.lines.flatMap(
          ({ message }) => /\[([A-Z_]+)\]/.exec(message)?.[1] ?? [],
        );
        return [
          further.status,
          ...further.results,
          none.status,
          ...none.results,
          codes,
        ];
      });
    };
    expect(await ask(alone())).toEqual([200, 'ALLOW', 500, []]);
    expect(await ask(hosted())).toEqual([200, 'ALLOW', 200, 'DENY', ['THREW']]);
    expect(await ask(replaced())).toEqual([
      ...[200, 'DENY', 200, 'DENY'],
      ['BAD_DECISION', 'UNDEFINED_DECISION'],
    ]);
  });
});

describe('from RBAC', () => {
  const guide = new Guide('docs/migrating/rbac.md');
  const { before, after } = guide.change('The change');
  let folder: string;
  let atStart: Seen;
  let rolesAtStart: unknown;

  const state = (code: string, ...headings: string[]): State => ({
    code,
    config: headings.map(heading =>
      guide.block(heading, 'yaml').replaceAll('./rbac-', `${folder}/rbac-`),
    ),
  });
  const run = <T>(
    each: State,
    use: (backend: RunningBackend) => Promise<T>,
  ): Promise<T> =>
    running(each, use, options => endingRbac(() => startBackend(options)));

  /** What RBAC's own API shows to each. */
  const rolesOf = (backend: RunningBackend): Promise<unknown> =>
    Promise.all(
      PEOPLE.map(async person => {
        const response = await fetch(`${backend.url}/api/permission/roles`, {
          headers: { authorization: `Bearer ${await backend.signIn(person)}` },
        });
        if (!response.ok) return response.status;
        const roles = (await response.json()) as Array<{ name: string }>;
        return roles.map(({ name }) => name).sort();
      }),
    );

  beforeAll(async () => {
    folder = await temporaryFolder();
    const conditions = guide.all('Before', 'yaml')[1]!;
    await writeFile(join(folder, 'rbac-policy.csv'), guide.block('Before', 'csv'));
    await writeFile(join(folder, 'rbac-conditions.yaml'), conditions);
    await run(state(before, 'Before'), async backend => {
      atStart = await look(backend);
      rolesAtStart = await rolesOf(backend);
    });
    expect(resultsIn(atStart.decisions)).toEqual(['ALLOW', 'DENY']);
    const roles = ['role:default/developers', 'role:default/rbac_admin'];
    expect(rolesAtStart).toEqual([403, roles, roles]);
    // The conditional policy is in effect.
    const removing = below(atStart.decisions, 'catalog.entity.delete');
    expect(removing).toEqual(byOwnership('catalog.entity.delete', 'delete', 'petra'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('the first table changes nothing', async () => {
    await run(state(after, 'Before', 'The change'), async backend => {
      const seen = await look(backend);
      expectSame(seen, atStart);
      expectLogged(seen, guide);
      expect(await rolesOf(backend)).toEqual(rolesAtStart);
    });
  });

  it('after the first step only owners may refresh', async () => {
    await run(state(after, 'Before', 'The first step'), async backend => {
      const seen = await look(backend);
      const refreshing = ['catalog.entity.refresh', 'update'] as const;
      expectOwnersMay(refreshing, seen, atStart, 'petra');
      expect(await rolesOf(backend)).toEqual(rolesAtStart);
    });
  });

  it('with only its own routes, RBAC decides only its own permissions, and reading roles needs a row', async () => {
    const later = state(after, 'Before', "Later: only what is RBAC's");
    await run(later, async backend => {
      const { decisions } = await look(backend);
      for (const prefix of ['catalog.', 'policy.']) {
        expect(below(decisions, prefix)).toEqual(below(atStart.decisions, prefix));
      }
      // This includes petra, who may do everything where RBAC is asked.
      expect(resultsIn(outside(decisions, 'catalog.', 'policy.'))).toEqual(['DENY']);
      expect(await rolesOf(backend)).toEqual(rolesAtStart);
    });

    const [rbac, table] = later.config as [string, string];
    const config = parse(table) as {
      permission: { policyRouter: { routes: Array<{ prefix: string }> } };
    };
    const { policyRouter } = config.permission;
    policyRouter.routes = policyRouter.routes.filter(row => row.prefix !== 'policy');
    const without = { ...later, config: [rbac, stringify(config)] };
    expect(await run(without, rolesOf)).toEqual([403, 403, 403]);
  });
});

describe('from OpenChoreo', () => {
  const guide = new Guide('docs/migrating/openchoreo.md');
  const { before, after } = guide.change('The change');
  const idpTokens = Object.fromEntries(
    PEOPLE.map(person => [person, idpTokenOf(person)]),
  ) as Record<Person, string>;
  const managed = ['cart', 'ledger'].map(name => `component:default/${name}`);
  const questions: readonly Question[] = [
    ...COMMON_QUESTIONS,
    basic('openchoreo.component.create', 'create'),
    ...managed.flatMap(ref => [
      onEntity('catalog.entity.read', 'read', ref),
      onEntity('catalog.entity.delete', 'delete', ref),
      {
        permission: {
          type: 'resource' as const,
          name: 'openchoreo.component.update',
          attributes: { action: 'update' as const },
          resourceType: NAMESPACED_RESOURCE,
        },
        resourceRef: ref,
      },
    ]),
  ];
  let api: ProfileApi;
  let atStart: Decisions;

  const state = (code: string, ...headings: string[]): State => ({
    code,
    config: headings.map(heading =>
      guide.block(heading, 'yaml').replaceAll('http://localhost:8080', api.url),
    ),
  });
  const run = <T>(
    each: State,
    use: (backend: RunningBackend) => Promise<T>,
  ): Promise<T> =>
    running(each, use, options =>
      startOpenChoreoBackend({
        ...options,
        entities: true,
        // Passed by name, so that the module is not hosted a second time.
        policy: options.policy ?? createPolicyRouter(),
      }),
    );

  async function decisions(backend: RunningBackend): Promise<Decisions> {
    const ask = async (person: Person, asked: readonly Question[]) => {
      const backstageToken = await backend.signIn(person);
      const member = { name: person, backstageToken, idpToken: idpTokens[person] };
      return authorize(backend.url, backstageToken, asked, headersOf(member));
    };
    const all = ['payments-api', 'search-ui', 'cart', 'ledger'].map(name =>
      onEntity('catalog.entity.read', 'read', `component:default/${name}`),
    );
    await until(async () => {
      const { results } = await ask('petra', all);
      return results.every(result => result === 'ALLOW');
    }, 'the catalog was ingested');
    return decisionsOf(questions, ask);
  }

  beforeAll(async () => {
    api = await startProfileApi();
    const allowed = [{ path: 'ns/acme' }];
    api.grant(idpTokens.olivia, {
      'component:*': { allowed },
      'project:view': { allowed },
    });
    api.grant(idpTokens.nolan, { 'component:view': { allowed } });
    api.grant(idpTokens.petra, { '*': { allowed: [{ path: '*' }] } });
    atStart = await run(state(before, 'Before'), decisions);
    expect(resultsIn(atStart)).toEqual(['ALLOW', 'DENY']);
  });

  afterAll(async () => {
    await api?.stop();
  });

  it('the first table changes nothing', async () => {
    await run(state(after, 'Before', 'The change'), async backend => {
      expect(await decisions(backend)).toEqual(atStart);
      const [line] = guide.all('Check', 'text');
      const messages = backend.logs.lines.map(({ message }) =>
        withoutDigests(`${message}\n`),
      );
      expect(messages).toContain(withoutDigests(line!));
    });
  });

  it('the first step denies one permission', async () => {
    const moved = 'catalog.location.delete';
    const step = state(after, 'Before', 'The first step');
    const now = await run(step, decisions);
    expect(outside(now, moved)).toEqual(outside(atStart, moved));
    expect(resultsIn(below(atStart, moved))).toEqual(['ALLOW']);
    expect(resultsIn(below(now, moved))).toEqual(['DENY']);
  });
});

/** A policy that allows everything, once this has resolved. */
const moduleAllowingAfter = (resolved: Promise<void>): BackendFeature =>
  createBackendModule({
    pluginId: 'permission',
    moduleId: 'custom',
    register(registration) {
      registration.registerInit({
        deps: { policy: policyExtensionPoint },
        async init({ policy }) {
          policy.setPolicy({
            async handle() {
              await resolved;
              return { result: AuthorizeResult.ALLOW };
            },
          });
        },
      });
    },
  });

describe('the limits of the guides', () => {
  /** As many as fit into one request. */
  const questions = Array.from({ length: 1_400 }, () => basic('a'));
  const table = entry.block('Limits', 'yaml');

  /** @param places - the policy answers once all questions without a place have been refused. */
  const allowedUnder = (config: string, places: number): Promise<number> => {
    let answer = (): void => {};
    const all = new Promise<void>(resolve => (answer = resolve));
    return running(
      {
        code: new Guide('docs/migrating/policy-class.md').change('The change').after,
        config: [config],
        modules: {
          './extensions/permissionsPolicyExtension': moduleAllowingAfter(all),
        },
      },
      async backend => {
        const token = await backend.signIn('olivia');
        const asking = authorize(backend.url, token, questions);
        await until(
          () => backend.traces.length >= questions.length - places,
          'the others were refused',
        );
        answer();
        const { status, results } = await asking;
        expect(status).toBe(200);
        return results.filter(result => result === 'ALLOW').length;
      },
    );
  };

  it('fit as many questions as one request can hold', async () => {
    expect(await allowedUnder(table, questions.length)).toBe(questions.length);
  });

  it('come from concurrency and queue', async () => {
    const narrow = table.replace(
      /^( *)timeout: .*\n/m,
      '$&$1concurrency: 64\n$1queue: 256\n',
    );
    expect(await allowedUnder(narrow, 64 + 256)).toBe(64 + 256);
  });
});
