/** No command prints what the config takes from the environment or from files, wherever it is put. */
import { stringify } from 'yaml';
import { runPolicyRouter } from '../support/cli';
import { folderWith, removeFolders } from '../support/folder';

afterAll(removeFolders);

/** Long enough to be cut in a message, with a part that YAML and JSON escape. */
const SECRET = `hunter2-${'Geheim"nis-'.repeat(12)}end`;
const LINES = `-----BEGIN KEY-----\n${SECRET}\n-----END KEY-----`;

/** Each piece of it, so that a beginning or an end is found, too. */
const PIECES = ['hunter2', 'geheim', 'nis-end'];

const source = (settings: object): object => ({
  fallback: 'deny',
  sources: {
    opa: { type: 'opa', baseUrl: 'https://127.0.0.1', entrypoint: 'a/b', ...settings },
  },
  routes: [{ prefix: 'tested', sources: ['opa'] }],
});

const table = (row: object): object => ({
  ...source({}),
  routes: [{ prefix: 'tested', sources: ['opa'], ...row }],
});

/** `S` is the secret. */
const ROWS: Readonly<Record<string, (s: unknown) => object>> = {
  'as the fallback': s => ({ ...source({}), fallback: s }),
  'as a setting': s => ({ ...source({}), audit: s }),
  'as a number of bytes': s => ({ ...source({}), maxConditionBytes: s }),
  'as the deadline': s => ({ ...source({}), deadline: s }),
  'as an operator': s => ({ ...source({}), operators: [s] }),
  'as a plugin': s => ({ ...source({}), declared: { plugins: [s] } }),
  'as the routing file': s => ({ sources: {}, routingFile: s }),
  'as the sources': s => ({ ...source({}), sources: s }),
  'as a source': s => ({ ...source({}), sources: { opa: s } }),
  'as the type': s => source({ type: s }),
  'as the URL': s => source({ baseUrl: s }),
  'as one of the URLs': s => source({ baseUrl: ['https://127.0.0.1', s] }),
  'as the entrypoint': s => source({ entrypoint: s }),
  'as the timeout': s => source({ timeout: s }),
  'as the queue': s => source({ queue: s }),
  'as onUnavailable': s => source({ onUnavailable: s }),
  'as the standby': s => source({ standby: s }),
  'as the credentials': s => source({ auth: s }),
  'in a list for the token': s => source({ auth: { token: [s] } }),
  'under a misspelt key': s => source({ auth: { tokne: s } }),
  'beside auth': s => source({ token: s }),
  'as a certificate': s => source({ tls: { ca: s } }),
  'as a bundle': s => source({ type: 'opa-wasm', baseUrl: undefined, bundle: s }),
  'as bypass of ownership': s => ({
    ...source({}),
    sources: { opa: { type: 'ownership', bypass: [s] } },
  }),
  'in a condition': s => ({
    ...source({}),
    sources: {
      opa: {
        type: 'conditions',
        rules: [
          { resourceTypes: ['a'], pluginId: s, conditions: { rule: s, params: s } },
        ],
      },
    },
  }),
  'as the routes': s => ({ ...source({}), routes: s }),
  'as a route': s => ({ ...source({}), routes: [s] }),
  'as a prefix': s => table({ prefix: s }),
  'as a name': s => table({ prefix: undefined, name: s }),
  'as an action': s => table({ actions: [s] }),
  'as a resource type': s => table({ resourceTypes: [s] }),
  'as the source of a route': s => table({ sources: [s] }),
  'as the algorithm': s => table({ combine: s }),
  'as the default': s => table({ default: s }),
};

async function expectHidden(
  files: Readonly<Record<string, string>>,
  env: Record<string, string>,
): Promise<string> {
  const cwd = folderWith(files);
  const runs = await Promise.all([
    runPolicyRouter(['check', '--config', 'app-config.yaml'], { cwd, env }),
  ]);
  runs.push(
    await runPolicyRouter(['check', '--config', 'app-config.yaml', '--json'], {
      cwd,
      env,
    }),
  );
  const printed = runs.map(({ out, err }) => out + err).join('\n');
  for (const piece of PIECES) expect(printed.toLowerCase()).not.toContain(piece);
  return printed;
}

const written = (policyRouter: object): string =>
  stringify({ permission: { enabled: true, policyRouter } }, { lineWidth: 0 });

describe.each(Object.entries(ROWS))('a secret %s', (_where, put) => {
  it('is not printed', async () => {
    const env = { SECRET, LINES };
    await expectHidden({ 'app-config.yaml': written(put('${SECRET}')) }, env);
    await expectHidden({ 'app-config.yaml': written(put('x${LINES}y')) }, env);
    await expectHidden({ 'app-config.yaml': written(put({ $env: 'SECRET' })) }, env);
    await expectHidden(
      { 'app-config.yaml': written(put({ $file: './key.txt' })), 'key.txt': LINES },
      {},
    );
    await expectHidden(
      {
        'app-config.yaml': 'permission: { policyRouter: { $include: ./router.yaml } }',
        'router.yaml': stringify(put('${SECRET}')),
      },
      env,
    );
  });
});

it('names the variable in place of its value', async () => {
  const files = { 'app-config.yaml': written({ ...source({}), audit: '${SECRET}' }) };
  expect(await expectHidden(files, { SECRET })).toContain('not "${SECRET}"');
});

it('set by APP_CONFIG_… is not printed', async () => {
  const files = { 'app-config.yaml': written(source({})) };
  const printed = await expectHidden(files, {
    APP_CONFIG_permission_policyRouter_audit: SECRET,
    APP_CONFIG_permission_policyRouter_sources: JSON.stringify({
      opa: { type: SECRET },
    }),
  });
  expect(printed).toContain('not "the value of an APP_CONFIG variable"');
});

it.each([
  [
    'app-config',
    { 'app-config.yaml': `permission:\n  x: "${'\\q'}hunter2" hunter2\n  [hunter2` },
  ],
  ['app-config', { 'app-config.yaml': 'permission:\n  x: *hunter2\n  y: !hunter2 [' }],
  ['app-config', { 'app-config.yaml': 'x: |hunter2\n  a\n%hunter2\ny: `hunter2' }],
  [
    'an included YAML file',
    { 'app-config.yaml': 'permission: { $include: a.yaml }', 'a.yaml': 'a: "hunter2' },
  ],
  [
    'an included JSON file',
    {
      'app-config.yaml': 'permission: { $include: a.json }',
      'a.json': '{"a": hunter2,}',
    },
  ],
  ['the list of the root', { 'app-config.yaml': '- hunter2' }],
])('a syntax error of %s quotes nothing', async (_what, files) => {
  const printed = await expectHidden(files, {});
  expect(printed).toContain('error');
});

it('leaves the words of a config as they are', async () => {
  const files = {
    'app-config.yaml': written({ ...source({}), fallback: '${FALLBACK}', audit: 'x' }),
  };
  const printed = await expectHidden(files, { FALLBACK: 'deny' });
  expect(printed).toContain("must be 'all' or 'denials' or 'off'");
});
