import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { runPolicyRouter, type CliRun } from '../../support/cli';

const CATALOG_INFO = `apiVersion: backstage.io/v1alpha1
kind: Component
metadata: { name: website }
spec: { type: website, owner: platform, lifecycle: production }
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: { name: orders }
spec: { type: openapi, owner: search, lifecycle: production, definition: '{}' }
`;

const POLICY_ROUTER = {
  fallback: 'deny',
  sources: {
    ownership: { type: 'ownership' },
    opa: {
      type: 'opa',
      baseUrl: 'http://127.0.0.1:8181',
      entrypoint: 'authz/decision',
      auth: { token: 'hunter2' },
      standby: 'ownership',
    },
    open: {
      type: 'opa',
      baseUrl: 'http://127.0.0.1:8181',
      entrypoint: 'authz/decision',
      onUnavailable: 'fail-open',
    },
    rbac: { type: 'hosted' },
    components: {
      type: 'conditions',
      rules: [
        {
          resourceTypes: ['catalog-entity'],
          pluginId: 'catalog',
          conditions: { rule: 'IS_ENTITY_KIND', params: { kinds: ['Component'] } },
        },
      ],
    },
  },
  routes: [
    { prefix: 'catalog', sources: ['allow'] },
    {
      prefix: 'catalog.entity',
      actions: ['update', 'delete'],
      sources: ['ownership', 'components'],
    },
    { prefix: 'catalog.location', sources: ['opa'] },
    { prefix: 'billing', sources: ['open'] },
    { prefix: 'cluster', sources: ['rbac'] },
  ],
};

const USERS = { olivia: { groups: ['group:default/platform'] }, guest: {} };
const ENTITIES = { website: './catalog-info.yaml#component:default/website' };
const DELETE = 'catalog.entity.delete';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-router-'));
  write('app-config.yaml', { permission: { policyRouter: POLICY_ROUTER } });
  write('catalog-info.yaml', CATALOG_INFO);
});

afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: unknown): void =>
  writeFileSync(
    join(folder, name),
    typeof content === 'string' ? content : stringify(content),
  );

const run = (...args: readonly string[]): Promise<CliRun> =>
  runPolicyRouter(['test', ...args], { cwd: folder });

/** Of a file with these cases. */
function runCases(
  cases: readonly object[],
  { args = [], ...rest }: { args?: readonly string[]; [key: string]: unknown } = {},
): Promise<CliRun> {
  write('tests.yaml', { users: USERS, entities: ENTITIES, ...rest, cases });
  return run('tests.yaml', ...args);
}

interface JsonCase {
  readonly name: string;
  readonly passed: boolean;
  readonly result?: string;
  readonly route?: string;
  readonly sentence?: string;
  readonly problems: readonly string[];
}

async function jsonOf(
  cases: readonly object[],
  rest: Record<string, unknown> = {},
): Promise<JsonCase[]> {
  const { out } = await runCases(cases, { ...rest, args: ['--json'] });
  return (JSON.parse(out) as { cases: JsonCase[] }).cases;
}

it('passes where each decision is the expected one, and names the routes that no case reaches', async () => {
  const about = { permission: DELETE, entity: 'website' };
  const { code, out, err } = await runCases([
    {
      ...about,
      user: 'olivia',
      expect: 'ALLOW',
      route: "'catalog.entity' [update, delete]",
    },
    { ...about, user: ['guest', 'user:default/nobody'], expect: 'DENY' },
    { user: 'anonymous', permission: 'catalog.entity.read', expect: 'DENY' },
    {
      user: 'guest',
      permission: 'catalog.entity.read',
      entity: 'website',
      expect: 'ALLOW',
    },
  ]);
  expect(err).toBe('');
  expect(out).toBe(`5 passed
reach: 2 of 6 routes; no case reaches:
  'catalog.location'
  'billing'
  'cluster'
  fallback
`);
  expect(code).toBe(0);
});

it('shows of a case that fails what was expected, why it was decided, and each condition', async () => {
  const { code, out } = await runCases([
    {
      name: 'guests may delete',
      user: 'guest',
      permission: DELETE,
      entity: 'website',
      expect: 'ALLOW',
      route: "'catalog'",
    },
  ]);
  expect(out).toContain(`✗ guests may delete  tests.yaml:9
  expected ALLOW, got DENY
  expected the route 'catalog', got the route 'catalog.entity' [update, delete]
  DENY: website does not meet the conditions. CONDITIONAL by 'catalog.entity' [update, delete]: `);
  expect(out).toContain(`
  conditions for website:
    ✗ all of
      ✗ IS_ENTITY_OWNER claims [user:default/guest]
      ✓ IS_ENTITY_KIND kinds [Component]

0 passed, 1 failed
`);
  expect(code).toBe(1);
});

it('says of a decision that depends on the entity that one may be named', async () => {
  const [found] = await jsonOf([
    { user: 'olivia', permission: DELETE, expect: 'ALLOW' },
  ]);
  expect(found).toMatchObject({
    name: 'olivia: catalog.entity.delete is ALLOW',
    passed: false,
    result: 'CONDITIONAL',
    problems: [
      'expected ALLOW, got CONDITIONAL: it depends on the entity; name one with entity, or expect CONDITIONAL',
    ],
  });
});

it('compares conditions once they are simplified, in any order', async () => {
  const owner = { rule: 'IS_ENTITY_OWNER', params: { claims: '$ownershipRefs' } };
  const kind = { rule: 'IS_ENTITY_KIND', params: { kinds: ['Component'] } };
  const asked = { user: 'olivia', permission: DELETE, expect: 'CONDITIONAL' };
  const found = await jsonOf([
    { ...asked, conditions: { allOf: [kind, { anyOf: [owner] }] } },
    { ...asked, conditions: { anyOf: [kind, owner] } },
  ]);
  expect(found.map(({ passed }) => passed)).toEqual([true, false]);
  expect(found[1]?.problems).toEqual([
    'expected the conditions IS_ENTITY_KIND kinds [Component] or IS_ENTITY_OWNER claims ' +
      '[user:default/olivia, group:default/platform], got IS_ENTITY_OWNER claims ' +
      '[user:default/olivia, group:default/platform] and IS_ENTITY_KIND kinds [Component]',
  ]);
});

describe('a source that cannot be asked', () => {
  const cluster = {
    user: 'guest',
    permission: { name: 'cluster.view', type: 'basic', action: 'read' },
  };
  const location = { user: 'guest', permission: 'catalog.location.create' };

  it('fails the case without a stand-in, also if the result is the expected one', async () => {
    const found = await jsonOf([
      { ...cluster, expect: 'DENY' },
      { ...location, expect: 'DENY' },
    ]);
    expect(found.map(({ passed, result }) => [passed, result])).toEqual([
      [false, undefined],
      [false, undefined],
    ]);
    expect(found.map(({ problems }) => problems)).toEqual([
      [
        "source 'rbac' of type 'hosted' cannot be asked here, and nothing is said in its place. Under " +
          "standIns, of the file or of this case, write what it should say, such as 'rbac: deny'",
      ],
      [
        "source 'opa' of type 'opa' cannot be asked here, and nothing is said in its place. Under " +
          "standIns, of the file or of this case, write what it should say, such as 'opa: deny'; or name " +
          'an OPA with --opa <url> or --policies <path>',
      ],
    ]);
  });

  it('says in full once what to do, and counts no such route as reached', async () => {
    const { out } = await runCases([
      { ...cluster, expect: 'DENY' },
      { ...cluster, expect: 'ALLOW' },
    ]);
    expect(out.match(/Under standIns/g)).toHaveLength(1);
    expect(out).toContain('and nothing is said in its place (as above)\n');
    expect(out).toMatch(/^reach: 0 of \d+ routes; no case reaches:$/m);
  });

  it('says what the file says, or the case in its place', async () => {
    const found = await jsonOf(
      [
        { ...cluster, expect: 'DENY' },
        { ...cluster, user: 'user:default/OLIVIA', expect: 'ALLOW' },
        { ...cluster, user: 'anonymous', expect: 'DENY' },
        { ...cluster, standIns: { rbac: 'allow' }, expect: 'ALLOW' },
        { ...location, standIns: { opa: 'not-applicable' }, expect: 'DENY' },
      ],
      {
        standIns: {
          rbac: [
            { users: ['olivia'], permissions: ['cluster'], result: 'allow' },
            { result: 'deny' },
          ],
        },
      },
    );
    expect(found.flatMap(({ problems }) => problems)).toEqual([]);
    expect(found[3]?.sentence).toMatch(
      /; 'rbac' was not asked: its stand-in says allow$/,
    );
  });

  it('is down where the case says so: standby and fail-open are those of a backend', async () => {
    const pay = { name: 'billing.pay', type: 'basic', action: 'update' };
    const found = await jsonOf([
      { ...location, standIns: { opa: 'unavailable' }, expect: 'DENY' },
      {
        user: 'guest',
        permission: pay,
        standIns: { open: 'unavailable' },
        expect: 'ALLOW',
      },
      { user: 'guest', permission: pay, standIns: { open: 'deny' }, expect: 'DENY' },
    ]);
    expect(found.flatMap(({ problems }) => problems)).toEqual([]);
    expect(found[0]?.sentence).toContain("standby 'ownership' abstains; fail-closed");
    expect(found[1]?.sentence).toContain('fail-open');
  });

  it('is not asked if nobody listens at --opa', async () => {
    const { code, err } = await runCases([{ ...location, expect: 'DENY' }], {
      args: ['--opa', 'http://127.0.0.1:1'],
    });
    expect(err).toBe(
      'the OPA at http://127.0.0.1:1 cannot be reached (ECONNREFUSED). Is it running?\n',
    );
    expect(code).toBe(3);
  });
});

it('asks no source that is only compared', async () => {
  const policyRouter = {
    fallback: 'deny',
    sources: { ownership: { type: 'ownership' }, next: { type: 'hosted' } },
    routes: [{ prefix: 'catalog', sources: ['ownership'] }],
    shadow: { ownership: 'next' },
  };
  write('app-config.yaml', { permission: { policyRouter } });
  const { out, err } = await runCases([
    { user: 'olivia', permission: DELETE, entity: 'website', expect: 'ALLOW' },
  ]);
  expect(err).toBe('');
  expect(out).toContain('1 passed');
});

it('refuses an entity for a basic permission, as Backstage does', async () => {
  const [found] = await jsonOf([
    {
      user: 'guest',
      permission: 'catalog.entity.create',
      entity: 'website',
      expect: 'ALLOW',
    },
  ]);
  expect(found?.problems).toEqual([
    'entity must be left out: catalog.entity.create is not about a resource',
  ]);
});

it('knows permissions of other plugins by their declaration', async () => {
  const invoice = { name: 'billing.pay', plugin: 'billing', action: 'update' };
  const found = await jsonOf(
    [{ user: 'guest', permission: 'billing.pay', expect: 'ALLOW', route: "'billing'" }],
    {
      permissions: [{ ...invoice, resourceType: 'invoice' }],
      standIns: { open: 'allow' },
    },
  );
  expect(found.flatMap(({ problems }) => problems)).toEqual([]);
});

it('names a label that was probably meant', async () => {
  const [found] = await jsonOf([
    {
      user: 'guest',
      permission: 'catalog.entity.read',
      expect: 'ALLOW',
      route: "'catalg'",
    },
  ]);
  expect(found?.problems).toEqual([
    "expected the route 'catalg', got the route 'catalog'. No route has this label; did you mean 'catalog'?",
  ]);
});

it('names every error of a file with its place', async () => {
  const { code, err } = await runCases([
    { user: 'olive', permission: 'catalog.entity.raed', expect: 'ALLOW' },
  ]);
  expect(err).toContain('tests.yaml has 2 errors:\n  tests.yaml:9:11: cases[0].user: ');
  expect(err).toContain('tests.yaml:10:17: cases[0].permission: nothing declares');
  expect(code).toBe(1);
});

it('says where an entity of a file is, if the file has several', async () => {
  const { code, err } = await runCases(
    [{ user: 'guest', permission: DELETE, entity: 'website', expect: 'DENY' }],
    { entities: { website: './catalog-info.yaml' } },
  );
  expect(err).toBe(
    'tests.yaml:7:12: catalog-info.yaml has 2 entities; name one of them: ' +
      "'catalog-info.yaml#component:default/website'\n",
  );
  expect(code).toBe(2);
});

it('keeps two versions of one entity apart', async () => {
  const entity = (owner: string): object => ({
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name: 'website' },
    spec: { type: 'website', lifecycle: 'production', owner },
  });
  const found = await jsonOf(
    [
      { user: 'olivia', permission: DELETE, entity: 'before', expect: 'ALLOW' },
      { user: 'olivia', permission: DELETE, entity: 'after', expect: 'DENY' },
    ],
    { entities: { before: entity('platform'), after: entity('search') } },
  );
  expect(found.flatMap(({ problems }) => problems)).toEqual([]);
});

it('tests another table in place of the configured one', async () => {
  write('new.yaml', {
    fallback: 'allow',
    routes: [{ prefix: 'x', sources: ['deny'] }],
  });
  const { out, code } = await runCases(
    [{ user: 'guest', permission: DELETE, expect: 'ALLOW', route: 'fallback' }],
    { args: ['--table', 'new.yaml'] },
  );
  expect(out).toBe("1 passed\nreach: 1 of 2 routes; no case reaches:\n  'x'\n");
  expect(code).toBe(0);
});

describe('the reach', () => {
  const reading = { user: 'guest', permission: 'catalog.entity.read', expect: 'ALLOW' };

  it('fails below --min-reach', async () => {
    const low = await runCases([reading], { args: ['--min-reach', '17'] });
    expect([low.code, low.err]).toEqual([1, 'the reach is below --min-reach 17\n']);
    const enough = await runCases([reading], { args: ['--min-reach', '16.6'] });
    expect([enough.code, enough.err]).toEqual([0, '']);
  });

  it('is a percentage', async () => {
    for (const wrong of ['101', '-1', 'all', '']) {
      const { code } = await runCases([reading], { args: ['--min-reach', wrong] });
      expect(code).toBe(2);
    }
  });
});

it('runs only the cases that --filter names, in several files', async () => {
  const of = (name: string): object => ({
    users: USERS,
    cases: [
      { name, user: 'guest', permission: 'catalog.entity.read', expect: 'ALLOW' },
    ],
  });
  write('one.yaml', of('Reading is open'));
  write('other.yaml', of('something else'));
  const { out } = await run('one.yaml', 'other.yaml', '--filter', 'reading');
  expect(out).toContain('1 passed\n');
  const none = await run('one.yaml', '--filter', 'nothing');
  expect(none.err).toBe("no case has 'nothing' in its name\n");
  expect(none.code).toBe(2);
});

it('writes a JUnit report that is XML, whatever the names contain', async () => {
  const odd = `<a & "b">\u0000\u001b[31m\uD800\uFFFF ]]> 🚀\n second line`;
  const { code } = await runCases(
    [
      {
        name: odd,
        user: 'guest',
        permission: 'catalog.entity.read',
        expect: 'DENY',
        route: 'x ]]> y',
      },
      { name: odd, user: 'guest', permission: 'catalog.entity.read', expect: 'ALLOW' },
    ],
    { args: ['--junit', 'report.xml'] },
  );
  expect(code).toBe(1);
  const xml = readFileSync(join(folder, 'report.xml'), 'utf8');
  // What XML 1.0 allows: https://www.w3.org/TR/xml/#charsets
  expect(xml).toMatch(
    /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*$/u,
  );
  expect(xml).not.toMatch(/&(?!amp;|lt;|gt;|quot;|apos;|#x?[0-9A-Fa-f]+;)/);
  expect(xml.match(/<testsuite [^>]*/g)).toEqual([
    '<testsuite name="tests.yaml" tests="2" failures="1" errors="0" skipped="0"',
  ]);
  expect(xml.match(/<testcase /g)).toHaveLength(2);
  expect(xml).toContain('message="expected DENY, got ALLOW; ');
  // A section that is closed early would be markup.
  const sections = [...xml.matchAll(/<!\[CDATA\[([^]*?)\]\]>/g)];
  expect(sections.map(([, text]) => text).join('')).toContain('the route x ]]> y, got');
  expect(xml).toContain('&lt;a &amp; &quot;b&quot;');
  const elsewhere = await run('tests.yaml', '--junit', 'missing/report.xml');
  expect(elsewhere.err).toBe(
    'missing/report.xml cannot be written: its folder does not exist\n',
  );
  expect(existsSync(join(folder, 'missing'))).toBe(false);
});

it('prints no secret of the config', async () => {
  const cases = [
    { user: 'guest', permission: 'catalog.location.create', expect: 'ALLOW' },
  ];
  const runs = [
    await runCases(cases),
    await runCases(cases, { args: ['--json'] }),
    await runCases(cases, { standIns: { opa: 'unavailable' } }),
  ];
  expect(runs.map(({ out, err }) => out + err).join()).not.toContain('hunter2');
});
