import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Observed } from '../../../src/cli/observed/sums';
import { runPolicyRouter } from '../../support/cli';
import { observedLine, type ObservedLine } from '../../support/recorded-decisions';
import { answer, startStub, type StubServer } from '../../support/stub-server';

const folder = mkdtempSync(join(tmpdir(), 'policy-router-'));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (...lines: ObservedLine[]): void =>
  writeFileSync(
    join(folder, 'audit.log'),
    lines.map(line => `${observedLine(line)}\n`).join(''),
  );

const run = (...args: string[]) =>
  runPolicyRouter(['observed', ...args], { cwd: folder });

async function summed(...args: string[]): Promise<Observed> {
  const { out, err } = await run('audit.log', '--json', ...args);
  if (!out) throw new Error(err);
  return JSON.parse(out) as Observed;
}

const ofKinds = (...kinds: string[]) => ({
  anyOf: kinds.map(kind => ({
    rule: 'IS_ENTITY_KIND',
    resourceType: 'catalog-entity',
    params: { kinds: [kind] },
  })),
});

describe('from recorded decisions', () => {
  it('sums what would change by route, user and permission', async () => {
    const denied: ObservedLine = { result: 'DENY', given: 'ALLOW', deniedBy: 'opa' };
    write(
      { ...denied, at: '2027-01-31T12:00:02.000Z' },
      { ...denied, at: '2027-01-31T12:00:03.000Z' },
      { ...denied, at: '2027-01-31T12:00:01.000Z' },
      { ...denied, user: 'user:default/olivia' },
      { result: 'CONDITIONAL', given: 'ALLOW' },
      { result: 'ALLOW', given: 'DENY' },
      { result: 'ALLOW', given: 'ALLOW' },
      { result: 'DENY' },
    );
    expect(await run('audit.log')).toEqual({
      code: 1,
      err: '',
      out: `7 decisions were only observed.

If they were enforced, 4 would be denied, 1 would depend on the resource, 1 would be allowed.

3 × a.b for user:default/nolan: ALLOW → DENY, route '*', denied by opa, last at 2027-01-31T12:00:03.000Z
1 × a.b for user:default/olivia: ALLOW → DENY, route '*', denied by opa, last at 2027-01-31T12:00:00.000Z
1 × a.b for user:default/nolan: ALLOW → CONDITIONAL, route '*', last at 2027-01-31T12:00:00.000Z
1 × a.b for user:default/nolan: DENY → ALLOW, route '*', last at 2027-01-31T12:00:00.000Z
`,
    });
    const { sums } = await summed();
    expect(sums[0]).toEqual({
      route: "'*'",
      user: 'user:default/nolan',
      permission: 'a.b',
      action: 'delete',
      result: 'DENY',
      given: 'ALLOW',
      deniedBy: 'opa',
      count: 3,
      first: '2027-01-31T12:00:01.000Z',
      last: '2027-01-31T12:00:03.000Z',
    });
  });

  it.each([
    ['--route', "'b'", ['b.c']],
    ['--user', 'USER:default/Olivia', ['c.d']],
    ['--permission', 'a', ['a.b']],
    ['--permission', 'a.b', ['a.b']],
    ['--limit', '2', ['a.b', 'b.c']],
  ])('shows only what %s %s says', async (option, value, names) => {
    const line = { result: 'DENY', given: 'ALLOW' } as const;
    write(
      ...[line, line, line],
      ...Array<ObservedLine>(2).fill({ ...line, permission: 'b.c', route: "'b'" }),
      { ...line, permission: 'c.d', user: 'user:default/olivia' },
    );
    const { sums, found, totals } = await summed(option, value);
    expect(sums.map(({ permission }) => permission)).toEqual(names);
    expect(found).toBe(option === '--limit' ? 3 : names.length);
    expect(totals.wouldBeDenied).toBe(6);
  });

  it('compares conditions, whatever their order; unknown ones count as different', async () => {
    const both = { result: 'CONDITIONAL', given: 'CONDITIONAL' } as const;
    write(
      { ...both, conditions: ofKinds('A', 'B'), givenConditions: ofKinds('B', 'A') },
      { ...both, conditions: ofKinds('A', 'B'), givenConditions: ofKinds('A') },
      { ...both },
    );
    const { totals } = await summed();
    expect(totals).toMatchObject({ observed: 3, dependsOnResource: 2 });
  });

  it('ends with 0 if nothing that is shown would be denied', async () => {
    write({ result: 'DENY', given: 'ALLOW' }, { result: 'ALLOW', given: 'ALLOW' });
    expect((await run('audit.log', '--user', 'user:default/petra')).code).toBe(0);
    expect((await run('audit.log')).code).toBe(1);
  });

  it('says if nothing was observed', async () => {
    write({ result: 'DENY' });
    expect(await run('audit.log')).toEqual({
      code: 0,
      err: '',
      out: 'no decision was made under observe. Is observe configured, and has anybody asked since?\n',
    });
  });

  it('refuses a file without a decision', async () => {
    write();
    const { code, err } = await run('audit.log');
    expect(code).toBe(2);
    expect(err).toContain("'audit.log' has no decision (skipped: 0 lines)");
  });
});

describe('of a backend', () => {
  const ANSWER = {
    replica: 'backstage-1',
    since: '2027-01-31T12:00:00.000Z',
    digest: '15f37a76c995',
    totals: {
      observed: 9,
      wouldBeDenied: 2,
      wouldBeAllowed: 0,
      dependsOnResource: 0,
      leftOut: 0,
    },
    found: 1,
    sums: [
      {
        ...{ route: 'fallback', user: 'user:default/nolan', permission: 'a.b' },
        ...{ result: 'DENY', given: 'ALLOW', count: 2, lastNumber: 12 },
        first: '2027-01-31T12:00:01.000Z',
        last: '2027-01-31T12:00:03.000Z',
      },
    ],
  };
  let stub: StubServer;
  let asked = '';
  beforeAll(async () => {
    stub = await startStub((socket, request) => {
      asked = request;
      answer(JSON.stringify(ANSWER))(socket, request);
    });
  });
  afterAll(() => stub.stop());

  it('asks for what is selected, and shows it', async () => {
    const selection = ['--route', 'fallback', '--user', 'user:default/nolan'];
    const { code, out } = await run('--backend', stub.url, ...selection);
    expect(code).toBe(1);
    expect(asked.split(' ')[1]).toBe(
      '/api/policy-router/v1/observed?route=fallback&user=user%3Adefault%2Fnolan',
    );
    expect(out)
      .toBe(`Since 2027-01-31T12:00:00.000Z, by the table 15f37a76c995: 9 decisions were only observed.

If they were enforced, 2 would be denied.

2 × a.b for user:default/nolan: ALLOW → DENY, route fallback, last at 2027-01-31T12:00:03.000Z
`);
  });

  it.each([[[]], [['audit.log', '--backend', 'http://localhost:7007']]])(
    'needs a backend or files: %p',
    async args => {
      expect(await run(...args)).toEqual({
        code: 2,
        out: '',
        err: 'Name a backend (--backend), or files with recorded decisions\n',
      });
    },
  );
});
