import { resolve } from 'node:path';
import { runPolicyRouter, type CliRun } from '../../support/cli';
import { folderWith, removeFolders } from '../../support/folder';

afterAll(removeFolders);

type Files = Readonly<Record<string, string>>;

const check = (
  files: Files,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<CliRun> => {
  const config = args.includes('--config') ? [] : ['--config', 'app-config.yaml'];
  return runPolicyRouter(['check', ...config, ...args], {
    cwd: folderWith(files),
    env,
  });
};

const router = (text: string): string =>
  `permission:\n  enabled: true\n  policyRouter:\n${text.replace(/^/gm, '    ')}\n`;

const GOOD = router(`fallback: deny
sources:
  ownership: { type: ownership }
routes:
  - { prefix: catalog, sources: [ownership] }`);

const UNUSED = router(`fallback: deny
sources:
  ownership: { type: ownership }
  spare: { type: ownership }
  other: { type: ownership }
routes:
  - { prefix: catalog, sources: [ownership] }`);

const TABLE = router(
  'routingFile: ./config/routing.yaml\nsources: { rbac: { type: hosted } }',
);

it('says what is in use, with the digest of the start line', async () => {
  const { code, out, err } = await check({ 'app-config.yaml': GOOD });
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(
    /^ok: 1 route, 1 source \(ownership\)\. A permission no route matches gets DENY\. Digest [0-9a-f]{12}\.\nRead: app-config\.yaml\n$/,
  );
});

it('lists the errors of app-config, the routing file and a bundle at once, each with its place', async () => {
  const { code, out } = await check({
    'app-config.yaml': router(`routingFile: ./config/routing.yaml
anonymous: maybe
sources:
  wasm: { type: opa-wasm, bundle: ./missing.tar.gz, entrypoint: a/b }
  opa: { type: opa }`),
    'config/routing.yaml': `fallback: deny
routes:
  - prefix: catalog
    sources: [opaa]
  - sources: [opa]
`,
  });
  expect(code).toBe(1);
  expect(
    out.split('\n').map(line => line.replace(/(?<=missing.tar.gz' does).*/, '')),
  ).toEqual([
    "app-config.yaml:5:5: error: permission.policyRouter.anonymous: must be 'deny' or 'evaluate', not \"maybe\"",
    expect.stringMatching(
      /^app-config\.yaml:7:7: error: permission\.policyRouter\.sources\.wasm: the bundle '.*' does$/,
    ),
    expect.stringMatching(
      /^app-config\.yaml:8:7: error: permission\.policyRouter\.sources\.opa\.baseUrl: is required/,
    ),
    expect.stringMatching(
      /^app-config\.yaml:8:7: error: permission\.policyRouter\.sources\.opa\.entrypoint: is required/,
    ),
    expect.stringMatching(
      /^config\/routing\.yaml:4:15: error: routes\[0\]\.sources\[0\]: unknown source 'opaa'/,
    ),
    expect.stringMatching(
      /^config\/routing\.yaml:5:5: error: routes\[1\]\.prefix: is required/,
    ),
    '',
    '6 errors',
    '',
  ]);
});

it('counts the errors that are not listed', async () => {
  const routes = Array.from(
    { length: 60 },
    (_, index) => `  - { prefix: a${index}, sources: [b${index}] }`,
  );
  const text = router(`fallback: deny\nroutes:\n${routes.join('\n')}`);
  const { out } = await check({ 'app-config.yaml': text });
  expect(out).toContain('\nand 10 more errors\n\n60 errors\n');
  const { out: asJson } = await check({ 'app-config.yaml': text }, ['--json']);
  expect(JSON.parse(asJson)).toMatchObject({ ok: false, errorCount: 60 });
});

describe('syntax errors', () => {
  it.each<[string, Files, string]>([
    [
      'of app-config',
      { 'app-config.yaml': 'permission:\n  policyRouter: [\n  enabled: "\\q"\n' },
      'app-config.yaml:3:13: error: this is not YAML: a backslash in double quotes that YAML does not know; use single quotes',
    ],
    [
      'of a file that it includes',
      {
        'app-config.yaml': 'permission: { $include: parts/all.yaml }',
        'parts/all.yaml': 'policyRouter:\n  $include: deep.yaml\n',
        'parts/deep.yaml': 'fallback: [deny\n',
      },
      'parts/deep.yaml:2:1: error: this is not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    [
      'of the routing file, beside the errors of app-config',
      {
        'app-config.yaml': router('routingFile: ./config/routing.yaml\naudit: some'),
        'config/routing.yaml': 'fallback: deny\nroutes: [\n',
      },
      'config/routing.yaml:3:1: error: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    [
      'a file that is included, but does not exist',
      {
        'app-config.yaml':
          'permission:\n  policyRouter:\n    routes: { $include: nope.yaml }',
      },
      'app-config.yaml:3:5: error: permission.policyRouter.routes: failed to include',
    ],
    [
      'a routing file that does not exist',
      { 'app-config.yaml': TABLE },
      'app-config.yaml:4:5: error: permission.policyRouter.routingFile: ./config/routing.yaml does not exist',
    ],
    [
      'an empty routing file',
      { 'app-config.yaml': TABLE, 'config/routing.yaml': '' },
      'config/routing.yaml:1:1: error: must contain fallback and routes, but is empty',
    ],
  ])('%s', async (_what, files, expected) => {
    const { code, out } = await check(files);
    expect(out).toContain(expected);
    expect(code).toBe(1);
  });

  it('of the routing file do not hide what is wrong in app-config', async () => {
    const { out } = await check({
      'app-config.yaml': router('routingFile: ./config/routing.yaml\naudit: some'),
      'config/routing.yaml': 'fallback: deny\nroutes: [\n',
    });
    expect(out).toContain('app-config.yaml:5:5: error: permission.policyRouter.audit:');
    expect(out).toContain('2 errors');
  });
});

describe('a slip in the command', () => {
  it.each<[string, readonly string[], string]>([
    [
      'a file that does not exist',
      ['--config', 'nope.yaml'],
      'nope.yaml" does not exist',
    ],
    [
      'an unknown code',
      ['--ignore', 'UNUSED'],
      "there is no warning with the code 'UNUSED'. The codes are: UNREACHABLE_ROUTE,",
    ],
    ['an unknown option', ['--strickt'], 'Did you mean --strict?'],
  ])('%s', async (_what, args, message) => {
    const { code, out, err } = await check({ 'app-config.yaml': GOOD }, args);
    expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: 2, out: '' });
  });

  it.each([
    [
      'permissions:\n  policyRouter: {}\n',
      "a key 'permissions'; it must be 'permission'",
    ],
    [
      'permission:\n  policyrouter: {}\n',
      "a key 'permission.policyrouter'; it must be 'policyRouter'",
    ],
  ])('a misspelt section: %j', async (text, said) => {
    const { code, err } = await check({ 'app-config.yaml': text });
    expect(code).toBe(2);
    expect(err).toContain(`There is ${said}`);
  });

  it('app-config without the section', async () => {
    const { code, err } = await check({ 'app-config.yaml': 'app: {}' });
    expect(err).toContain('permission.policyRouter is not set. Read: ');
    expect(code).toBe(2);
  });
});

describe('warnings', () => {
  it('have a code, a place, and a way to silence them', async () => {
    const { code, out } = await check({ 'app-config.yaml': UNUSED });
    expect(code).toBe(0);
    expect(out).toContain(
      'app-config.yaml:7:7: warning UNUSED_SOURCE: permission.policyRouter.sources.spare: ',
    );
    expect(out).toContain(
      "To silence a warning: --ignore UNUSED_SOURCE, or only in this place: --ignore 'UNUSED_SOURCE:sources.spare'\n",
    );
    expect(out).toContain('\nok, 2 warnings: 1 route');
  });

  it('tell of observing that ends soon, or has ended', async () => {
    const day = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
    const observe = (until: string): Files => ({
      'app-config.yaml': GOOD.replace(
        'sources:',
        `observe: { answer: allow, until: ${until} }\n    sources:`,
      ),
    });
    const soon = await check(observe(day));
    expect(soon.out).toContain('app-config.yaml:5:5: warning OBSERVE_ENDS_SOON: ');
    const ended = await check(observe('2020-01-31'), ['--strict']);
    expect(ended).toMatchObject({ code: 1 });
    expect(ended.out).toContain('app-config.yaml:5:5: warning OBSERVE_ENDED: ');
  });

  it('of a routing file name the route', async () => {
    const { out } = await check({
      'app-config.yaml': TABLE,
      'config/routing.yaml':
        'fallback: allow\nroutes:\n  - prefix: a\n    actions: [delete]\n    sources: [rbac]\n',
    });
    expect(out).toContain(
      "config/routing.yaml:3:5: warning REST_IS_OPEN: routes[0] ('a' [delete]): ",
    );
    expect(out).toContain(
      "Not checked: whether a module of the backend provides 'rbac' (hosted).",
    );
  });

  it('fail only with --strict, and not if they are ignored', async () => {
    const files = { 'app-config.yaml': UNUSED };
    expect((await check(files, ['--strict'])).code).toBe(1);
    const one = await check(files, [
      '--strict',
      '--ignore',
      'UNUSED_SOURCE:sources.spare',
    ]);
    expect(one.code).toBe(1);
    expect(one.out).not.toContain('sources.spare');
    expect(one.out).toContain('ok, 1 warning, 1 warning ignored: ');
    const all = await check(files, ['--strict', '--ignore', 'UNUSED_SOURCE']);
    expect(all).toMatchObject({
      code: 0,
      out: expect.stringContaining('ok, 2 warnings ignored: ') as string,
    });
  });

  it('that are ignored but do not occur are named', async () => {
    const args = [
      '--ignore',
      'UNUSED_SOURCE:sources.spare',
      '--ignore',
      'REST_IS_OPEN',
    ];
    const { code, out } = await check({ 'app-config.yaml': GOOD }, args);
    expect(out).toContain(
      '--ignore UNUSED_SOURCE:sources.spare: there is no such warning any more\n',
    );
    expect(out).toContain('--ignore REST_IS_OPEN: there is no such warning any more\n');
    expect(code).toBe(0);
  });

  it.each([
    ['is missing', GOOD.replace('  enabled: true\n', ''), '1:1'],
    ['is false', GOOD.replace('true', 'false'), '2:3'],
  ])('there is one where permission.enabled %s', async (_what, text, place) => {
    const { out } = await check({ 'app-config.yaml': text });
    expect(out).toContain(
      `app-config.yaml:${place}: warning PERMISSION_DISABLED: permission.enabled: is not true, so Backstage asks no policy: everything is allowed\n`,
    );
    const args = ['--strict', '--ignore', 'PERMISSION_DISABLED'];
    expect((await check({ 'app-config.yaml': text }, args)).code).toBe(0);
  });
});

describe('--json', () => {
  it('has what people read', async () => {
    const { out } = await check({ 'app-config.yaml': UNUSED }, [
      '--json',
      '--ignore',
      'UNUSED_SOURCE:sources.other',
    ]);
    expect(JSON.parse(out)).toEqual({
      ok: true,
      errors: [],
      errorCount: 0,
      warnings: [
        {
          code: 'UNUSED_SOURCE',
          file: 'app-config.yaml',
          line: 7,
          column: 7,
          path: 'permission.policyRouter.sources.spare',
          message: expect.any(String) as string,
          place: 'sources.spare',
        },
      ],
      ignored: 1,
      unusedIgnores: [],
      digest: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
      fallback: 'deny',
      routes: 1,
      sources: ['ownership', 'spare', 'other'].map(name => ({
        name,
        type: 'ownership',
      })),
      notChecked: [],
      files: ['app-config.yaml'],
    });
  });

  it('has the place of an error, or the variable that sets the value', async () => {
    const env = { APP_CONFIG_permission_policyRouter_audit: 'some' };
    const { out, code } = await check(
      { 'app-config.yaml': GOOD.replace('deny', 'maybe') },
      ['--json'],
      env,
    );
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      errors: [
        {
          file: 'app-config.yaml',
          line: 4,
          column: 5,
          path: 'permission.policyRouter.fallback',
        },
        {
          ...{ file: null, line: null, column: null },
          variable: 'APP_CONFIG_permission_policyRouter_audit',
          path: 'permission.policyRouter.audit',
        },
      ],
    });
    expect(JSON.parse(out)).not.toHaveProperty('digest');
  });

  it('is JSON for app-config that is not YAML, too', async () => {
    const { out, code } = await check({ 'app-config.yaml': 'a: [' }, ['--json']);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      errors: [{ file: 'app-config.yaml', line: 1, column: 5 }],
    });
    expect(code).toBe(1);
  });
});

describe('the app-config of a repository', () => {
  it('is found from a package, as the backend finds it; the routing file is beside the backend', async () => {
    const folder = folderWith({
      'package.json': '{ "workspaces": { "packages": ["packages/*"] } }',
      'app-config.yaml': TABLE,
      'app-config.local.yaml': 'permission: { policyRouter: { audit: "off" } }',
      'packages/backend/package.json': '{ "name": "backend" }',
      'packages/backend/config/routing.yaml':
        'fallback: deny\nroutes: [{ prefix: a, sources: [rbac] }]',
    });
    const run = await runPolicyRouter(['check'], {
      cwd: resolve(folder, 'packages/backend'),
    });
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out).toContain(
      'Read: ../../app-config.yaml, ../../app-config.local.yaml, config/routing.yaml\n',
    );
  });
});

it('has no colours but on a terminal, and help with an example', async () => {
  const { out, code } = await runPolicyRouter(['check', '--help']);
  expect(out).toContain('Example:\n  policy-router check ');
  expect(out).toContain('Exit codes:\n  0  all is well\n');
  expect(out).not.toMatch(/\u001b/);
  expect(code).toBe(0);
});
