import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Coverage } from '../../../src/operations/coverage';
import { runPolicyRouter } from '../../support/cli';
import {
  answer,
  startStub,
  type Behaviour,
  type StubServer,
} from '../../support/stub-server';

const folder = mkdtempSync(join(tmpdir(), 'policy-router-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TOKEN = 'a-token-that-nobody-may-see';

const write = (name: string, content: unknown): void =>
  writeFileSync(join(folder, name), JSON.stringify(content));

const permission = (name: string, action: string | undefined) => ({
  type: 'basic',
  name,
  attributes: action === undefined ? {} : { action },
});

const PLUGINS = {
  billing: {
    permissions: [
      permission('billing.pay', 'create'),
      permission('billing.read', 'read'),
      permission('billing.other', undefined),
    ],
  },
  notes: { permissions: [permission('notes.read', 'read')], rules: [] },
};

const ELSEWHERE = [{ prefix: 'elsewhere', sources: ['opa'] }];

interface Table {
  readonly fallback?: 'allow' | 'deny';
  readonly routes?: readonly object[];
  readonly plugins?: object;
  readonly unread?: readonly string[];
}

/** Without a backend. */
function offline(
  { fallback = 'deny', routes = ELSEWHERE, plugins = PLUGINS, unread = [] }: Table,
  ...args: string[]
) {
  const sources = {
    opa: { type: 'opa', baseUrl: 'http://opa:8181', entrypoint: 'a/b' },
  };
  write('app-config.yaml', {
    permission: { policyRouter: { fallback, sources, routes } },
  });
  write('metadata.json', { plugins, unread });
  return runPolicyRouter(
    ['coverage', '--metadata', 'metadata.json', '--config', 'app-config.yaml', ...args],
    { cwd: folder },
  );
}

describe('without a backend', () => {
  it('shows what decides each permission, by plugin', async () => {
    const routes = [
      { prefix: 'billing', sources: ['opa', 'allow'] },
      { prefix: 'billing.pay', sources: ['allow'] },
    ];
    expect(await offline({ routes })).toEqual({
      code: 0,
      err: '',
      out: `billing
  billing.pay    create     basic  route 'billing.pay'  allow
      WRITE_ONLY_ALLOW: its route allows it to everybody (create)
  billing.read   read       basic  route 'billing'      opa, allow
  billing.other  no action  basic  route 'billing'      opa, allow

notes
  notes.read     read       basic  fallback: DENY

4 permissions of 2 plugins: 1 by the fallback, 1 warning.
`,
    });
  });

  it.each([
    ['nothing is found', { routes: [{ prefix: '', sources: ['opa'] }] }, 0],
    [
      'a permission is not routed',
      { routes: [{ prefix: 'notes', sources: ['opa'] }] },
      1,
    ],
    ['a route allows a write', { routes: [{ prefix: '', sources: ['allow'] }] }, 1],
    [
      'a plugin could not be read',
      { routes: [{ prefix: '', sources: ['opa'] }], unread: ['shy'] },
      3,
    ],
    [
      'a route allows a write, and a plugin could not be read',
      { routes: [{ prefix: '', sources: ['allow'] }], unread: ['shy'] },
      1,
    ],
  ])('ends with the flags of CI: %s', async (_what, table: Table, code) => {
    const run = await offline(table, '--fail-on-fallback', '--fail-on-open-writes');
    expect(run.code).toBe(code);
    expect((await offline(table)).code).toBe(0);
  });

  it.each([
    ['--fail-on-fallback', '--fail-on-fallback: the fallback decides 4 permissions\n'],
    [
      '--fail-on-open-writes',
      '--fail-on-open-writes: everybody is allowed 2 permissions\n',
    ],
  ])('says what %s found', async (flag, message) => {
    const { code, err } = await offline({ fallback: 'allow' }, flag);
    expect([code, err]).toEqual([1, message]);
  });

  it('says which plugins are not known', async () => {
    const { out } = await offline({ unread: ['shy'] });
    expect(out).toContain(
      "Not known are the permissions of 1 plugin that could not be read: 'shy'.",
    );
  });

  it('takes a permission that two plugins declare for no finding', async () => {
    const plugins = { one: PLUGINS.notes, two: PLUGINS.notes };
    const routes = [{ prefix: '', sources: ['opa'] }];
    const run = await offline({ plugins, routes }, '--fail-on-open-writes');
    expect(run.code).toBe(0);
    expect(run.out).toContain('DECLARED_TWICE');
  });

  it('knows the installed catalog, and says that it knows no more', async () => {
    await offline({});
    const { code, out, err } = await runPolicyRouter(
      ['coverage', '--config', 'app-config.yaml'],
      { cwd: folder },
    );
    expect(code).toBe(0);
    expect(out).toContain('catalog.entity.delete');
    expect(err).toContain('Only the permissions of the installed catalog are shown');
  });

  it('names the errors of the config', async () => {
    const { code, err } = await offline({
      routes: [{ prefix: 'a', sources: ['oap'] }],
    });
    expect(code).toBe(1);
    expect(err).toContain('permission.policyRouter.routes[0].sources');
  });

  it.each([
    [
      ['--save', 'a.json'],
      '--save writes what a backend declares: name it by --backend\n',
    ],
    [
      ['--metadata', 'app-config.yaml'],
      "app-config.yaml is not the file that 'policy-router coverage --backend <url> --save app-config.yaml' writes\n",
    ],
  ])('refuses %p', async (args, message) => {
    expect(await offline({}, ...args)).toEqual({ code: 2, out: '', err: message });
  });
});

describe('of a backend', () => {
  const COVERAGE: Coverage = {
    settled: true,
    pluginsListed: true,
    permissions: [
      {
        plugin: 'notes',
        name: 'notes.read',
        type: 'basic',
        action: 'read',
        resourceType: undefined,
        route: "'*'",
        routeIndex: 0,
        sources: ['opa'],
        warnings: [],
      },
    ],
    unknownPlugins: [],
    totals: { declared: 1, leftOut: 0, plugins: 1, byFallback: 0, warnings: 0 },
  };
  const JSON_ANSWER = answer(JSON.stringify(COVERAGE));
  const ERROR = JSON.stringify({ error: { message: 'only operators may see this' } });

  let stub: StubServer;
  beforeAll(async () => {
    stub = await startStub(JSON_ANSWER);
  });
  afterAll(() => stub.stop());

  const ask = (...args: string[]) =>
    runPolicyRouter(['coverage', '--backend', stub.url, ...args], {
      cwd: folder,
      env: { POLICY_ROUTER_TOKEN: TOKEN },
    });

  const withRules =
    (behaviour: Behaviour): Behaviour =>
    (socket, request) =>
      (request.startsWith('GET /api/notes/.well-known/') ? behaviour : JSON_ANSWER)(
        socket,
        request,
      );

  it('sends the token, and asks only the operations API', async () => {
    let asked = '';
    stub.become((socket, request) => {
      asked = request;
      JSON_ANSWER(socket, request);
    });
    const { code, out } = await ask();
    expect(code).toBe(0);
    expect(asked).toMatch(/^GET \/api\/policy-router\/v1\/coverage HTTP/);
    expect(asked).toContain(`authorization: Bearer ${TOKEN}`);
    expect(out).toContain("notes.read  read  basic  route '*'  opa");
  });

  it.each([
    [
      'still reads',
      { settled: false },
      'The backend is still reading what the plugins declare; ask again in a few seconds',
    ],
    [
      'cannot list its plugins',
      { settled: false, pluginsListed: false },
      'The backend could not list the installed plugins',
    ],
    [
      'could not read one',
      { unknownPlugins: [{ plugin: 'shy', state: 'unread' as const }] },
      "Not known are the permissions of 1 plugin that could not be read: 'shy'",
    ],
  ])('takes nothing found for unknown while it %s', async (_what, more, message) => {
    stub.become(answer(JSON.stringify({ ...COVERAGE, ...more })));
    const { code, out, err } = await ask('--fail-on-fallback');
    expect(code).toBe(3);
    expect(out).toContain(`${message}.`);
    expect(err).toBe('Nothing was found, but not all permissions are known\n');
    expect((await ask()).code).toBe(0);
  });

  it('does not save what is not settled', async () => {
    stub.become(answer(JSON.stringify({ ...COVERAGE, settled: false })));
    const { code, err } = await ask('--save', 'unsettled.json');
    expect(code).toBe(3);
    expect(err).toContain(
      'unsettled.json is not written. The backend is still reading',
    );
    expect(() => readFileSync(join(folder, 'unsettled.json'))).toThrow('ENOENT');
  });

  it('saves a plugin without its rules if it lets nobody in, and says so', async () => {
    stub.become(withRules(answer('{}', '403 Forbidden')));
    const { code, err } = await ask('--save', 'saved.json');
    expect(code).toBe(0);
    expect(err).toBe(
      `saved.json has what 1 plugin declares.\nWithout the rules of plugin 'notes': ${stub.url}/api/notes/.well-known/backstage/permissions/metadata answered HTTP 403\n`,
    );
    const saved: unknown = JSON.parse(readFileSync(join(folder, 'saved.json'), 'utf8'));
    expect(saved).toEqual({
      plugins: { notes: { permissions: [permission('notes.read', 'read')] } },
    });
  });

  it('saves the rules', async () => {
    const rules = [{ name: 'OURS', resourceType: 'note' }];
    stub.become(withRules(answer(JSON.stringify({ permissions: [], rules }))));
    const { err } = await ask('--save', 'saved.json');
    expect(err).toBe('saved.json has what 1 plugin declares.\n');
    expect(JSON.parse(readFileSync(join(folder, 'saved.json'), 'utf8'))).toMatchObject({
      plugins: { notes: { rules } },
    });
  });

  it('says where it cannot write', async () => {
    stub.become(withRules(answer('{}')));
    const { code, err } = await ask('--save', 'no/such/folder.json');
    expect([code, err]).toEqual([2, 'no/such/folder.json cannot be written: ENOENT\n']);
  });

  it.each<[string, Behaviour, string]>([
    [
      'a page of HTML',
      answer('<!DOCTYPE html>'),
      'did not answer with JSON. Is this the address of the backend, and not of the frontend?',
    ],
    [
      'a refusal',
      answer(ERROR, '403 Forbidden'),
      'HTTP 403: only operators may see this',
    ],
    [
      'an expired token',
      answer('{}', '401 Unauthorized'),
      'HTTP 401. The token is not valid, or has expired',
    ],
    [
      'another backend',
      answer('{}', '404 Not Found'),
      'HTTP 404. Is the policy router installed there, in a release that has this call?',
    ],
    [
      'a reset',
      socket => socket.destroy(),
      'cannot be reached (UND_ERR_SOCKET). Is the backend running?',
    ],
  ])('ends with 3 and says why: %s', async (_what, behaviour, message) => {
    stub.become(behaviour);
    const { code, out, err } = await ask('--fail-on-fallback');
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain(message);
    expect(err).not.toContain(TOKEN);
  });

  it('asks whether https:// is wrong where nobody speaks TLS', async () => {
    const plain = createServer();
    await new Promise<void>(resolve => plain.listen(0, '127.0.0.1', resolve));
    const url = `https://127.0.0.1:${(plain.address() as AddressInfo).port}`;
    const { code, err } = await runPolicyRouter(['coverage', '--backend', url]);
    plain.closeAllConnections();
    plain.close();
    expect(code).toBe(3);
    expect(err).toMatch(
      /Does its address begin with http:\/\/ instead of https:\/\/\?\n$/,
    );
  });

  it.each([
    ['--config', 'a.yaml'],
    ['--metadata', 'a.json'],
  ])('cannot be combined with %s', async (...args) => {
    const { code, err } = await ask(...args);
    expect(code).toBe(2);
    expect(err).toContain('cannot be used with option');
  });
});
