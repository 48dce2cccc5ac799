import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Replayed } from '../../../src/cli/replay/tally';
import type { DecisionRecord } from '../../../src/trace/record';
import { basic, onEntity } from '../../support/backend';
import { runPolicyRouter } from '../../support/cli';
import {
  auditLine,
  decideAll,
  type AskedQuestion,
} from '../../support/recorded-decisions';
import { answer, decision, startStub } from '../../support/stub-server';

const folder = mkdtempSync(join(tmpdir(), 'policy-router-'));
afterAll(() => rmSync(folder, { recursive: true }));

const NOLAN = {
  userEntityRef: 'user:default/nolan',
  ownershipEntityRefs: ['user:default/nolan', 'group:default/search'],
};
const PETRA = {
  userEntityRef: 'user:default/petra',
  ownershipEntityRefs: ['user:default/petra', 'group:default/platform'],
};

const DELETE = onEntity('catalog.entity.delete', 'delete').permission;
const READ = onEntity('catalog.entity.read', 'read').permission;
const CREATE = basic('catalog.entity.create', 'create').permission;

const SOURCES = {
  ownership: { type: 'ownership', bypass: ['group:default/platform'] },
};
const TABLE = {
  fallback: 'deny',
  routes: [
    { prefix: 'catalog', sources: ['allow'] },
    { prefix: 'catalog.entity.delete', sources: ['ownership'] },
  ],
};
const BEFORE = { sources: SOURCES, ...TABLE };

const by = (
  user: AskedQuestion['user'],
  ...permissions: AskedQuestion['permission'][]
) => permissions.map(permission => ({ permission, user }));

const write = (name: string, content: unknown): void =>
  writeFileSync(
    join(folder, name),
    typeof content === 'string' ? content : JSON.stringify(content),
  );

const writeLines = (lines: readonly string[]): void =>
  write('decisions.log', lines.map(line => `${line}\n`).join(''));

interface Run {
  readonly config?: object;
  readonly table?: object;
  readonly args?: readonly string[];
}

async function run({ config = BEFORE, table, args = [] }: Run = {}) {
  write('app-config.yaml', { permission: { enabled: true, policyRouter: config } });
  if (table) write('new.yaml', table);
  return runPolicyRouter(
    [
      ...['replay', 'decisions.log', '--config', 'app-config.yaml'],
      ...(table ? ['--table', 'new.yaml'] : []),
      ...args,
    ],
    { cwd: folder },
  );
}

async function replayed(options: Run = {}): Promise<Replayed & { code: number }> {
  const { code, out, err } = await run({
    ...options,
    args: ['--json', ...(options.args ?? [])],
  });
  if (!out) throw new Error(err);
  return { ...(JSON.parse(out) as Replayed), code };
}

const recordOf = async (...questions: AskedQuestion[]): Promise<DecisionRecord[]> =>
  decideAll(BEFORE, questions);

describe('with what was recorded under audit: all', () => {
  it('finds no change of the table that was in force', async () => {
    const asked = [...by(NOLAN, DELETE, READ, CREATE), ...by(PETRA, DELETE, READ)];
    const records = await recordOf(...asked, ...by(undefined, READ, DELETE));
    writeLines(records.map(record => auditLine(record)));
    expect(await run()).toEqual({
      code: 0,
      err: '',
      out: '7 decisions read.\n  7 decided again\n\nNothing would change.\n',
    });
  });

  it('groups what changes, the most frequent first, with an example', async () => {
    const records = await recordOf(
      ...by(PETRA, DELETE),
      ...by(NOLAN, CREATE, DELETE, DELETE, READ),
    );
    writeLines(records.map(record => auditLine(record)));
    const table = {
      fallback: 'deny',
      routes: [{ prefix: 'catalog', actions: ['read', 'delete'], sources: ['allow'] }],
    };
    const { code, out } = await run({ table });
    expect(code).toBe(1);
    const at = /^ {2}such as user:default\/\w+ at (\d{4}-\S+Z)$/gm;
    expect(out.replace(at, line => line.replace(/ at .*/, ' at <time>'))).toBe(
      `5 decisions read.
  5 decided again

3 decisions would change. 2 decisions would be made by another route, with the same result.

2 × catalog.entity.delete: CONDITIONAL → ALLOW
  route 'catalog.entity.delete' → 'catalog' [read, delete], by allow
  such as user:default/nolan at <time>
  ALLOW by 'catalog' [read, delete]: the source 'allow'

1 × catalog.entity.create: ALLOW → DENY
  route 'catalog' → fallback
  such as user:default/nolan at <time>
  DENY by the fallback: no route matches; nearest: 'catalog' [read, delete]
`,
    );
  });

  it('shows as many groups as --limit says', async () => {
    const records = await recordOf(...by(NOLAN, CREATE, DELETE, READ));
    writeLines(records.map(record => auditLine(record)));
    const table = { fallback: 'deny', routes: [{ prefix: 'a', sources: ['allow'] }] };
    const { groups, groupsLeftOut, changed } = await replayed({
      table,
      args: ['--limit', '1'],
    });
    expect([groups.length, groupsLeftOut, changed]).toEqual([1, 2, 3]);
    const { out } = await run({ table, args: ['--limit', '1'] });
    expect(out).toContain('… and 2 more groups (--limit)');
  });

  it('compares conditions, whatever the order of their parts', async () => {
    const withRules = (order: readonly string[]) => ({
      fallback: 'deny',
      sources: {
        any: {
          type: 'conditions',
          rules: [
            {
              resourceTypes: ['catalog-entity'],
              pluginId: 'catalog',
              conditions: {
                anyOf: order.map(kind => ({
                  rule: 'IS_ENTITY_KIND',
                  params: { kinds: [kind] },
                })),
              },
            },
          ],
        },
      },
      routes: [{ prefix: 'catalog', sources: ['any'] }],
    });
    const records = await decideAll(withRules(['API', 'Group']), by(NOLAN, READ));
    writeLines(records.map(record => auditLine(record)));
    expect(await replayed({ config: withRules(['Group', 'API']) })).toMatchObject({
      changed: 0,
      decidedAgain: 1,
    });
    const other = await replayed({ config: withRules(['Group', 'User']) });
    expect(other).toMatchObject({ changed: 1, code: 1 });
    expect(other.groups).toMatchObject([
      { conditionsDiffer: true, from: { result: 'CONDITIONAL' }, by: ['any'] },
    ]);
  });

  it('decides a question without a resource as it was asked', async () => {
    const short = basic('catalog.entity.delete').permission;
    const records = await recordOf(...by(NOLAN, short), ...by(PETRA, short));
    expect(records.map(({ result }) => result)).toEqual(['DENY', 'ALLOW']);
    writeLines(records.map(record => auditLine(record)));
    expect(await replayed()).toMatchObject({ decidedAgain: 2, changed: 0 });
    // Whether a service has asked for Nolan is not recorded.
    expect(
      await replayed({ config: { ...BEFORE, whenAskedWithoutResource: 'allow' } }),
    ).toMatchObject({
      decidedAgain: 1,
      changed: 0,
      undetermined: { count: 1 },
      code: 3,
    });
  });

  it('finds no change where a user was allowed without a resource', async () => {
    const config = { ...BEFORE, whenAskedWithoutResource: 'allow' };
    const short = basic('catalog.entity.delete').permission;
    const records = await decideAll(config, by(NOLAN, short));
    expect(records).toMatchObject([{ result: 'ALLOW', withoutResource: true }]);
    writeLines(records.map(record => auditLine(record)));
    expect(await replayed({ config })).toMatchObject({ decidedAgain: 1, changed: 0 });
    expect(await replayed()).toMatchObject({ changed: 1 });
  });

  it('decides a question by name only as it was decided before the plugins were read', async () => {
    const [record] = await recordOf(...by(PETRA, DELETE));
    const unread = {
      ...record!,
      permission: basic('catalog.entity.delete').permission,
      declared: 'unread' as const,
      result: 'DENY' as const,
      conditions: undefined,
    };
    writeLines([auditLine(unread)]);
    // Ownership abstains from what is about no resource, bypass or not; the default is deny.
    expect(await replayed()).toMatchObject({ decidedAgain: 1, changed: 0 });
  });
});

it('finds no change whatever the table and the questions are', async () => {
  const permission = fc.constantFrom(DELETE, READ, CREATE, basic('a.b').permission);
  const user = fc.constantFrom(NOLAN, PETRA, undefined);
  const route = fc.record({
    prefix: fc.constantFrom('', 'catalog', 'catalog.entity', 'a'),
    sources: fc.uniqueArray(fc.constantFrom('allow', 'deny', 'ownership'), {
      minLength: 1,
    }),
    combine: fc.constantFrom('deny-overrides', 'allow-overrides', 'first-applicable'),
    default: fc.constantFrom('allow', 'deny'),
  });
  const config = fc.record({
    fallback: fc.constantFrom('allow', 'deny'),
    anonymous: fc.constantFrom('deny', 'evaluate'),
    routes: fc.uniqueArray(route, { minLength: 1, selector: ({ prefix }) => prefix }),
  });
  const asked = fc.array(fc.record({ permission, user }), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(config, asked, async (table, questions) => {
      const policyRouter = { sources: SOURCES, ...table };
      const records = await decideAll(policyRouter, questions);
      writeLines(records.map(record => auditLine(record)));
      expect(await replayed({ config: policyRouter })).toMatchObject({
        decidedAgain: questions.length,
        changed: 0,
        sameByOtherRoute: 0,
        code: 0,
      });
    }),
    { numRuns: 40 },
  );
});

describe('without the refs', () => {
  const table = {
    fallback: 'deny',
    routes: [
      { prefix: 'catalog', sources: ['allow'] },
      { prefix: 'catalog.entity', sources: ['ownership'] },
    ],
  };

  it('compares only routes, and says so', async () => {
    const records = await recordOf(...by(NOLAN, DELETE));
    writeLines(records.map(record => auditLine(record, 'denials')));
    expect((await run()).out).toBe(
      `1 decision read.
  1 compared by route only: their lines do not have the user's refs

Nothing would change.
`,
    );
    const { code, out } = await run({ table });
    expect(code).toBe(1);
    expect(out).toContain(
      '1 decision would be made by another route, with an unknown result.',
    );
    expect(out).toContain(
      `1 × catalog.entity.delete: CONDITIONAL → unknown
  route 'catalog.entity.delete' → 'catalog.entity', by ownership
  such as user:default/nolan at `,
    );
  });

  it('notices that the same route asks others', async () => {
    const records = await recordOf(...by(NOLAN, DELETE));
    writeLines(records.map(record => auditLine(record, 'denials')));
    const routes = [
      { prefix: 'catalog.entity.delete', sources: ['ownership', 'deny'] },
    ];
    expect(await replayed({ table: { ...table, routes } })).toMatchObject({
      otherRoute: 1,
      byRoute: { withoutRefs: 1 },
      code: 1,
    });
  });

  it('decides again what is the same for everybody', async () => {
    const records = await recordOf(...by(NOLAN, CREATE));
    writeLines(records.map(record => auditLine(record, 'denials')));
    const fallback = { ...table, routes: [{ prefix: 'a', sources: ['ownership'] }] };
    const { groups, ...rest } = await replayed({ table: fallback });
    expect(rest).toMatchObject({ decidedAgain: 1, changed: 1, otherRoute: 0 });
    expect(groups).toMatchObject([{ to: { result: 'DENY', route: 'fallback' } }]);
  });

  it('does not take some of the refs for all of them', async () => {
    const [record] = await recordOf(...by(PETRA, DELETE));
    const refs = Array.from({ length: 1001 }, (_, index) => `group:default/g${index}`);
    writeLines([auditLine({ ...record!, refs })]);
    expect(await replayed()).toMatchObject({
      byRoute: { withoutRefs: 1 },
      decidedAgain: 0,
    });
  });
});

it('compares only routes where the conditions were too large to be recorded', async () => {
  const refs = Array.from(
    { length: 400 },
    (_, index) => `group:default/g-${index}-xyz`,
  );
  const many = { userEntityRef: 'user:default/many', ownershipEntityRefs: refs };
  const records = await recordOf(...by(many, DELETE));
  writeLines(records.map(record => auditLine(record)));
  const { out, code } = await run();
  expect(code).toBe(0);
  expect(out).toContain(
    '  1 compared by route only: their lines do not have the conditions\n',
  );
  // Another result is known all the same.
  const table = {
    fallback: 'deny',
    routes: [{ prefix: 'catalog', sources: ['allow'] }],
  };
  expect(await replayed({ table })).toMatchObject({ changed: 1, decidedAgain: 1 });
});

describe('with sources that cannot be asked here', () => {
  const HOSTED = {
    fallback: 'deny',
    sources: {
      rbac: { type: 'hosted' },
      rego: { type: 'opa', baseUrl: 'http://opa:8181', entrypoint: 'a/b' },
    },
    routes: [
      { prefix: 'catalog', sources: ['rbac'] },
      { prefix: 'catalog.entity.delete', sources: ['rego', 'rbac'] },
    ],
  };
  const allow = () => 'allow' as const;

  beforeAll(async () => {
    const standIns = new Map([
      ['rbac', allow],
      ['rego', allow],
    ]);
    const records = await decideAll(HOSTED, by(NOLAN, READ, DELETE, READ), standIns);
    writeLines(records.map(record => auditLine(record)));
  });

  it('says what it does not know, and never guesses', async () => {
    expect(await run({ config: HOSTED })).toEqual({
      code: 3,
      err: '',
      out: `3 decisions read.
  3 undetermined

Nothing else would change.

3 decisions are undetermined:
  2: it needs rbac
  1: it needs rego
Say what a source that cannot be asked here answers: --stand-in <name>=allow, deny or not-applicable. For sources of type opa name an OPA: --opa <url>, or --policies <folder>.
`,
    });
  });

  it('needs no stand-in for a source that only answers under observe', async () => {
    const observe = { answer: 'rbac', until: '2099-01-31' };
    const routes = [{ prefix: 'catalog', sources: ['deny'] }];
    const config = { ...HOSTED, routes, observe };
    expect(await replayed({ config })).toMatchObject({
      decidedAgain: 3,
      changed: 3,
      undetermined: { count: 0 },
    });
  });

  it('takes what is stated', async () => {
    const args = ['--stand-in', 'rbac=allow', '--stand-in', 'rego=allow'];
    expect(await replayed({ config: HOSTED, args })).toMatchObject({
      decidedAgain: 3,
      changed: 0,
      code: 0,
    });
    args[3] = 'rego=deny';
    expect(await replayed({ config: HOSTED, args })).toMatchObject({
      changed: 1,
      groups: [{ permission: 'catalog.entity.delete', by: ['rego'] }],
      code: 1,
    });
  });

  it.each([
    [
      ['rbca=allow'],
      '--stand-in rbca: no source of this name needs a stand-in; those that can have one: rbac, rego\n',
    ],
    [
      ['rbac=yes'],
      "error: option '--stand-in <name=result>' argument 'rbac=yes' is invalid. Write the name of a source and what it says, such as openchoreo=allow; it may say allow, deny, not-applicable.\n",
    ],
  ])('refuses --stand-in %p', async (standIns, message) => {
    const args = standIns.flatMap(each => ['--stand-in', each]);
    expect(await run({ config: HOSTED, args })).toEqual({
      code: 2,
      out: '',
      err: message,
    });
  });

  it('asks the OPA that is named, each question once', async () => {
    const config = { ...HOSTED, routes: [{ prefix: 'catalog', sources: ['rego'] }] };
    const opa = await startStub(decision({ result: 'DENY', reason: 'because' }));
    const args = ['--opa', opa.url];
    const { groups, ...rest } = await replayed({ config, args });
    expect(rest).toMatchObject({ decidedAgain: 3, changed: 3, code: 1 });
    expect(groups.map(({ example }) => example.sentence)).toContain(
      "DENY by 'catalog': 'rego': the Rego policy says DENY: because",
    );
    expect(opa.requests()).toBe(2);
    await opa.stop();
  });

  it('does not take an outage of that OPA for an answer', async () => {
    const config = { ...HOSTED, routes: [{ prefix: 'catalog', sources: ['rego'] }] };
    const opa = await startStub(answer('{}', '503 Service Unavailable'));
    const { code, out } = await run({ config, args: ['--opa', opa.url] });
    await opa.stop();
    expect(code).toBe(3);
    expect(out).toContain('  3: rego is unavailable (HTTP_503)\n');
  });

  it('does not guess about rules that it does not know', async () => {
    const config = { ...HOSTED, routes: [{ prefix: 'catalog', sources: ['rego'] }] };
    const opa = await startStub(
      decision({
        result: 'CONDITIONAL',
        pluginId: 'catalog',
        resourceType: 'catalog-entity',
        conditions: { rule: 'OURS', resourceType: 'catalog-entity', params: {} },
      }),
    );
    const { code, out } = await run({ config, args: ['--opa', opa.url] });
    await opa.stop();
    expect(code).toBe(3);
    expect(out).toContain(
      '  3: its conditions use rules that are not known here; save',
    );
  });
});

describe('what was recorded during an outage', () => {
  const OUTAGE = {
    class: 'unavailable' as const,
    code: 'TIMEOUT',
    message: 'no answer within 500 ms',
  };

  it('is compared apart, and is no change', async () => {
    const [record] = await recordOf(...by(PETRA, DELETE));
    const sources = [
      { source: 'ownership', verdict: 'DENY' as const, failure: OUTAGE },
    ];
    writeLines([auditLine({ ...record!, result: 'DENY', sources })]);
    const { code, out } = await run();
    expect(code).toBe(0);
    expect(out).toContain(`1 decision read.
  1 recorded during an outage, see below

Nothing would change.

Recorded during an outage: 1 decision. What was answered then need not be what the policy says, so a difference is no change of the table. Different now: 1.

1 × catalog.entity.delete: DENY → ALLOW
  route 'catalog.entity.delete', by ownership
`);
  });

  it('is undetermined if it was not known who asks', async () => {
    const [record] = await recordOf(...by(PETRA, DELETE));
    const none = { user: undefined, refs: undefined, route: undefined, sources: [] };
    const failure = { ...OUTAGE, code: 'IDENTITY' };
    writeLines([auditLine({ ...record!, ...none, failure, result: 'DENY' })]);
    expect(await replayed()).toMatchObject({
      duringOutage: { read: 1, undetermined: 1, different: 0 },
    });
  });
});

describe('what cannot be read', () => {
  it('refuses files without a decision', async () => {
    writeLines(['a line', '{"isAuditEvent":true,"plugin":"catalog"}']);
    expect(await run()).toEqual({
      code: 2,
      out: '',
      err: "'decisions.log' has no decision (skipped: 2 lines). Backstage logs decisions as JSON in production, all of them if permission.policyRouter.audit is all\n",
    });
  });

  it('refuses a file that is not there', async () => {
    rmSync(join(folder, 'decisions.log'));
    expect(await run()).toEqual({
      code: 2,
      out: '',
      err: 'decisions.log cannot be read: there is no such file\n',
    });
  });

  it('names the errors of the proposed table', async () => {
    const records = await recordOf(...by(NOLAN, READ));
    writeLines(records.map(record => auditLine(record)));
    const { code, err } = await run({ table: { fallback: 'deny', rotues: [] } });
    expect(code).toBe(1);
    expect(err).toContain("new.yaml: unknown key 'rotues'");
  });
});
