import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runPolicyRouter } from '../../support/cli';
import { startOpa, type OpaServer } from '../../support/opa-server';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

it('says what it is for', async () => {
  const { code, out } = await runPolicyRouter(['rego-batch', '--help']);
  expect(code).toBe(0);
  expect(out).toContain('policy-router rego-batch [options] <entrypoint>');
  expect(out).toContain('batch: policy_router/batch');
  expect((await runPolicyRouter(['--help'])).out).toContain('rego-batch');
});

it.each<[string, string[], string]>([
  ['no entrypoint', [], "missing required argument 'entrypoint'"],
  ['a reference of Rego', ['data.a.b'], "Write it as in the app-config: 'a/b'."],
  ['a path of the Data API', ['v1/data/a/b'], "Write it as in the app-config: 'a/b'."],
  ['a package and a rule with a dot', ['a.b'], "Write it as in the app-config: 'a/b'."],
  ['a path that leads elsewhere', ['a/../b'], "It must be segments joined by '/'"],
  ['an absolute path', ['/a/b'], "It must be segments joined by '/'"],
  ['an empty entrypoint', [''], "It must be segments joined by '/'"],
  ['two entrypoints', ['a/b', 'c/d'], 'too many arguments'],
  ['a rule without a package', ['a/b', '--rule', 'batch'], 'It must be a package and'],
  ['a rule with dashes', ['a/b', '--rule', 'my-own/batch'], 'It must be a package and'],
  ['a reserved word', ['a/b', '--rule', 'package/batch'], 'It must be a package and'],
  ['a rule with a line end', ['a/b', '--rule', 'a/c\nx'], 'It must be a package and'],
])('refuses %s', async (_name, args, message) => {
  const { code, out, err } = await runPolicyRouter(['rego-batch', ...args]);
  expect(err).toContain(message);
  expect({ code, out }).toEqual({ code: 2, out: '' });
});

it.each([
  ['the same', 'policy_router/batch'],
  ['the package of the rule', 'policy_router'],
  ['below the rule', 'policy_router/batch/decision'],
])(
  'refuses an entrypoint that is %s: OPA would not load it',
  async (_name, entrypoint) => {
    const { code, out, err } = await runPolicyRouter(['rego-batch', entrypoint]);
    expect(err).toContain('--rule');
    expect(out).toBe('');
    expect(code).not.toBe(0);
    const elsewhere = ['rego-batch', entrypoint, '--rule', 'policy_router2/batch'];
    expect((await runPolicyRouter(elsewhere)).code).toBe(0);
  },
);

describeWithOpa('what it prints', () => {
  let folder: string;
  let opa: OpaServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rego-batch-'));
    const printed = await runPolicyRouter(['rego-batch', 'backstage_policy/decision']);
    expect(printed).toMatchObject({ code: 0, err: '' });
    await writeFile(join(folder, 'batch.rego'), printed.out);
    opa = await startOpa({
      binary: requireOpa(),
      policies: [folder, 'config/policies/backstage.rego'],
    });
  });

  afterAll(async () => {
    await opa?.stop();
    await rm(folder, { recursive: true });
  });

  it('answers in OPA beside the policy, by the id of each question', async () => {
    const ask = async (path: string, input: object): Promise<unknown> => {
      const body = JSON.stringify({ input });
      const url = `${opa.url}/v1/data/${path}`;
      const answer = await fetch(url, { method: 'POST', body });
      return ((await answer.json()) as { result?: unknown }).result;
    };
    const identity = {
      user: 'user:default/dana',
      claims: ['user:default/dana', 'group:default/payments'],
    };
    const permissions = {
      a: { name: 'scaffolder.task.create', type: 'basic', attributes: {} },
      b: { name: 'an.unheard.of.permission', type: 'basic', attributes: {} },
      c: {
        name: 'catalog.entity.delete',
        type: 'resource',
        resourceType: 'catalog-entity',
        attributes: { action: 'delete' },
      },
    };
    const expected = Object.fromEntries(
      await Promise.all(
        Object.entries(permissions).map(async ([id, permission]) => [
          id,
          await ask('backstage_policy/decision', { permission, identity }),
        ]),
      ),
    ) as object;
    expect(
      new Set(Object.values(expected).map(each => JSON.stringify(each))).size,
    ).toBe(Object.keys(permissions).length);
    expect(await ask('policy_router/batch', { identity, permissions })).toEqual({
      version: 1,
      entrypoint: 'backstage_policy/decision',
      decisions: expected,
    });
  });
});
