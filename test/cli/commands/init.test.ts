import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readTestFile } from '../../../src/cli/cases/read';
import { runPolicyRouter } from '../../support/cli';
import { folderWith, removeFolders, writeFiles } from '../../support/folder';
import { startStub, type StubServer } from '../../support/stub-server';

afterAll(removeFolders);

const OPA = { OPA_URL: 'http://127.0.0.1:8181' };
const PRESETS = {
  'least-privilege': [],
  'embedded-rego': ['config/policies/backstage.rego', 'config/bundle.tar.gz'],
  opa: ['config/policies/backstage.rego'],
  'observe-allow-all': [],
};
const FILES = [
  'app-config.policy-router.yaml',
  'config/routing.yaml',
  'config/policy-router.tests.yaml',
];

describe.each(Object.entries(PRESETS))('init %s', (preset, more) => {
  it('writes files that pass the check without a warning, and says the next step', async () => {
    const cwd = folderWith();
    const { code, out, err } = await runPolicyRouter(['init', preset], { cwd });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const file of [...FILES, ...more]) {
      expect(out).toContain(`written ${file}\n`);
      expect(existsSync(join(cwd, file))).toBe(true);
    }
    const [command = ''] = /policy-router check.*/.exec(out) ?? [];
    const [, ...args] = command.split(' ');
    const checked = await runPolicyRouter([...args, '--strict'], { cwd, env: OPA });
    expect(checked).toMatchObject({ code: 0, err: '' });
  });

  it('names the schemas of the installed package in the first lines', async () => {
    const cwd = folderWith({
      'node_modules/backstage-plugin-permission-backend-module-policy-router/config/routing.schema.json':
        '{}',
    });
    await runPolicyRouter(['init', preset, '--dir', 'packages/backend'], { cwd });
    for (const [file, schema] of [
      ['routing.yaml', 'routing'],
      ['policy-router.tests.yaml', 'tests'],
    ]) {
      const text = readFileSync(join(cwd, 'packages/backend/config', file!), 'utf8');
      expect(text.split('\n')[0]).toBe(
        `# yaml-language-server: $schema=../../../node_modules/backstage-plugin-permission-backend-module-policy-router/config/${schema}.schema.json`,
      );
    }
  });
});

it('overwrites nothing: if one file exists, none is written', async () => {
  const cwd = folderWith({ 'config/routing.yaml': 'mine' });
  const { code, out, err } = await runPolicyRouter(['init', 'opa'], { cwd });
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain('overwrites nothing and this exists:\n  config/routing.yaml\n');
  expect(existsSync(join(cwd, 'app-config.policy-router.yaml'))).toBe(false);
  expect(readFileSync(join(cwd, 'config/routing.yaml'), 'utf8')).toBe('mine');
});

it('says the next step as it was run itself, with the app-config that there is', async () => {
  const cwd = folderWith({
    'app-config.yaml': '',
    'app-config.local.yaml': '',
    'packages/backend/package.json': '{}',
  });
  const env = { npm_config_user_agent: 'yarn/4.4.1 npm/? node/v20.20.2 linux x64' };
  const args = ['init', 'opa', '--dir', 'packages/backend'];
  const { out } = await runPolicyRouter(args, { cwd, env });
  const configs =
    '--config ../../app-config.yaml --config ../../app-config.local.yaml --config app-config.policy-router.yaml';
  expect(out).toContain(`
Next:
  cd packages/backend
  OPA_URL=http://127.0.0.1:8181 yarn policy-router check ${configs}
  OPA_URL=http://127.0.0.1:8181 yarn policy-router test config/policy-router.tests.yaml ${configs} --policies config/policies/backstage.rego
  opa run --server --addr 127.0.0.1:8181 config/policies/backstage.rego
  OPA_URL=http://127.0.0.1:8181 yarn start ${configs}
`);
});

it('observe-allow-all allows everything for 30 days, before the table of least privilege', async () => {
  const cwd = folderWith();
  const before = Date.now();
  await runPolicyRouter(['init', 'observe-allow-all'], { cwd });
  const read = (file: string): unknown => parse(readFileSync(join(cwd, file), 'utf8'));
  const { permission } = read('app-config.policy-router.yaml') as {
    permission: { policyRouter: { observe: { answer: string; until: string } } };
  };
  const { answer, until } = permission.policyRouter.observe;
  expect(answer).toBe('allow');
  const days = (Date.parse(until) - before) / 86_400_000;
  expect(days).toBeGreaterThan(28.9);
  expect(days).toBeLessThanOrEqual(30.1);
  expect(read('config/routing.yaml')).toEqual(
    parse(readFileSync('config/least-privilege.yaml', 'utf8')),
  );
});

describe('--backend', () => {
  let stub: StubServer;
  let asked: string;
  let permissions: object[];

  beforeAll(async () => {
    stub = await startStub((socket, request) => {
      asked = request;
      const body = JSON.stringify({ permissions });
      socket.end(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    });
  });
  afterAll(() => stub.stop());

  const declared = (plugin: string, name: string, action?: string): object => ({
    ...{ plugin, name, type: 'basic', action, sources: [], warnings: [] },
  });

  const init = async (): Promise<{ cwd: string; text: string }> => {
    const cwd = folderWith();
    const args = ['init', 'least-privilege', '--backend', stub.url];
    const env = { POLICY_ROUTER_TOKEN: 'a-token' };
    const { code, err } = await runPolicyRouter(args, { cwd, env });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return { cwd, text: readFileSync(join(cwd, 'config/routing.yaml'), 'utf8') };
  };

  it('adds a comment for each plugin, whose routes deny', async () => {
    permissions = [
      declared('catalog', 'catalog.entity.read', 'read'),
      declared('billing', 'billing.invoice.pay', 'update'),
      declared('billing', 'billing.invoice.read', 'read'),
      declared('odd', 'one/thing\nx', 'read'),
      declared('odd', 'two'),
    ];
    const { cwd, text } = await init();
    expect(asked).toMatch(/^GET \/api\/policy-router\/v1\/coverage HTTP/);
    expect(asked).toContain('authorization: Bearer a-token');
    const shipped = parse(
      readFileSync('config/least-privilege.yaml', 'utf8'),
    ) as object;
    expect(parse(text)).toEqual(shipped);
    expect(text.slice(text.indexOf('  # What the plugins')))
      .toBe(`  # What the plugins at ${stub.url} declare, and no route above matches: the fallback denies it. Remove
  # the \`#\` before a route, and name the sources that should decide.
  #
  # billing:
  #   billing.invoice.pay (update)
  #   billing.invoice.read (read)
  # - prefix: billing.invoice
  #   sources: [deny]
  #
  # odd:
  #   one/thing\\u000ax (read)
  #   two (no action)
  # - prefix: "one/thing\\\\u000ax"
  #   sources: [deny]
  # - prefix: two
  #   sources: [deny]
`);
    // Without the `#` they are routes, and open nothing.
    writeFiles(cwd, {
      'config/routing.yaml': text.replace(
        /# (- prefix: (?:billing|two).*\n {2})# {2}( sources)/g,
        '$1 $2',
      ),
    });
    const args = ['check', '--config', 'app-config.policy-router.yaml'];
    const { out } = await runPolicyRouter(args, { cwd });
    expect(out).toMatch(/^ok: 14 routes, 3 sources \(allow, ownership, deny\)/);
  });

  it('adds nothing where every permission has a route', async () => {
    permissions = [declared('catalog', 'catalog.entity.read', 'read')];
    const { text } = await init();
    const cwd = folderWith();
    await runPolicyRouter(['init', 'least-privilege'], { cwd });
    expect(text).toBe(readFileSync(join(cwd, 'config/routing.yaml'), 'utf8'));
  });

  it('writes nothing if the backend cannot be asked', async () => {
    const cwd = folderWith();
    const args = ['init', 'opa', '--backend', 'http://127.0.0.1:1'];
    const { code, err } = await runPolicyRouter(args, { cwd });
    expect(err).toContain('Is the backend running?');
    expect(code).toBe(3);
    expect(existsSync(join(cwd, 'config'))).toBe(false);
  });
});

it('names the presets', async () => {
  const { code, err } = await runPolicyRouter(['init', 'least']);
  expect(err).toContain(
    'Allowed choices are least-privilege, embedded-rego, opa, observe-allow-all.',
  );
  expect(code).toBe(2);
});

it.each(['least-privilege', 'routing'])('the shipped tests of %s are valid', name => {
  const text = readFileSync(`config/${name}.tests.yaml`, 'utf8');
  expect(text).toMatch(/^# yaml-language-server: \$schema=\.\/tests\.schema\.json\n/);
  expect(readTestFile(parse(text)).cases.length).toBeGreaterThan(10);
});
