/**
 * Many questions in one request to a real OPA: the same decisions, reasons and failures as when
 * each question is a request of its own.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import { batchRule } from '../../src/sources/opa/batch-rule';
import type { DecisionRecord } from '../../src/trace/record';
import { CapturedLogs } from '../support/captured-logs';
import { runPolicyRouter } from '../support/cli';
import { startOpa, type OpaServer } from '../support/opa-server';
import { startRouter, type TestRouter } from '../support/router';
import { compared, countsOf } from '../support/shadows';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const POLICY = `package team
import rego.v1

decision := {"result": "ALLOW", "reason": "even"} if endswith(input.permission.name, "0")
decision := {"result": "DENY"} if endswith(input.permission.name, "1")
decision := {"result": "NOT_APPLICABLE"} if endswith(input.permission.name, "2")
decision := {"result": "maybe"} if endswith(input.permission.name, "3")
decision := {"result": "ALLOW"} if endswith(input.permission.name, "5")
decision := {"result": "ALLOW"} if { endswith(input.permission.name, "6"); input.identity.user == "user:default/dana" }
decision := {"result": "ALLOW"} if { endswith(input.permission.name, "7"); count(input) == 2; not input.permissions }
decision := {"result": "ALLOW"} if input.permission.name == "conflict"
decision := {"result": "DENY"} if input.permission.name == "conflict"

version := {"version": 2, "entrypoint": "team/decision", "decisions": {}}
text := "ALLOW"
stranger := {"version": 1, "entrypoint": "team/decision", "decisions": {"1": {"result": "ALLOW"}}}
`;

const settings = (baseUrl: string, batch?: string) => ({
  fallback: 'deny',
  sources: {
    opa: {
      type: 'opa',
      baseUrl,
      entrypoint: 'team/decision',
      timeout: '5s',
      ...(batch === undefined ? {} : { batch }),
    },
  },
  deadline: '20s',
  routes: [{ prefix: '', sources: ['opa'] }],
});

const USER: PolicyQueryUser = {
  credentials: { $$type: '@backstage/BackstageCredentials', principal: {} },
  info: {
    userEntityRef: 'user:default/dana',
    ownershipEntityRefs: ['user:default/dana', 'group:default/payments'],
  },
};

const query = (name: string): PolicyQuery => ({
  permission: { type: 'basic', name, attributes: {} },
});

describeWithOpa('batch', () => {
  let folder: string;
  let opa: OpaServer;
  const routers: TestRouter[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-'));
    await writeFile(join(folder, 'team.rego'), POLICY);
    await writeFile(
      join(folder, 'batch.rego'),
      batchRule('team/decision', 'policy_router/batch'),
    );
    await writeFile(
      join(folder, 'other.rego'),
      batchRule('team/other', 'policy_router/other'),
    );
    opa = await startOpa({ binary: requireOpa(), policies: [folder] });
  });

  afterEach(() => routers.splice(0).forEach(router => router.close()));

  afterAll(async () => {
    await opa.stop();
    await rm(folder, { recursive: true });
  });

  async function routerWith(batch?: string) {
    const logs = new CapturedLogs();
    const records: DecisionRecord[] = [];
    const router = await startRouter(settings(opa.url, batch), {
      logger: logs.logger(),
      sinks: [record => void records.push(record)],
    });
    routers.push(router);
    const decide = async (names: readonly string[]): Promise<string[]> => {
      records.length = 0;
      await Promise.all(names.map(name => router.decide(query(name), USER)));
      return names.map(name => {
        const record = records.find(({ permission }) => permission?.name === name)!;
        const { batched } = record.sources[0]!;
        return `${record.result} ${record.reason}${batched === undefined ? '' : ` (of ${batched})`}`;
      });
    };
    return { decide, logs, router };
  }

  it('decides as one by one', async () => {
    const names = Array.from({ length: 9 }, (_, index) => `permission.${index}`);
    const alone = await (await routerWith()).decide(names);
    const together = await (await routerWith('policy_router/batch')).decide(names);
    expect(together).toEqual(alone.map(said => `${said} (of 9)`));
  });

  it('asks one by one where a policy conflicts', async () => {
    const names = ['permission.0', 'conflict', 'permission.1'];
    const alone = await (await routerWith()).decide(names);
    const together = await (await routerWith('policy_router/batch')).decide(names);
    expect(together).toEqual(alone);
  });

  it.each([
    ['policy_router/missing', "batch 'policy_router/missing' is not loaded in OPA"],
    [
      'policy_router/other',
      `was made for entrypoint "team/other", not for 'team/decision'`,
    ],
    ['team/version', "batch 'team/version' is not of version 1"],
    ['team/text', "batch 'team/text' is another rule than the router asks for"],
    ['team/stranger', "batch 'team/stranger' answers questions that were not asked"],
  ])(
    'asks one by one where %s is not the rule, and says so once',
    async (batch, problem) => {
      const names = ['permission.0', 'permission.1'];
      const alone = await (await routerWith()).decide(names);
      const { decide, logs, router } = await routerWith(batch);
      expect(await decide(names)).toEqual(alone);
      expect(await decide(names)).toEqual(alone);
      const said = logs.lines.filter(({ message }) => message.includes(' batch '));
      expect(said.map(({ level }) => level)).toEqual(['warn']);
      expect(said[0]!.message).toContain(problem);
      expect(
        router.statuses().find(({ source }) => source === 'opa')?.remote?.batch
          ?.problem,
      ).toContain(problem);
    },
  );

  it('explains as it decides', async () => {
    const { router } = await routerWith('policy_router/batch');
    const names = Array.from({ length: 9 }, (_, index) => `permission.${index}`);
    const principal = USER.info;
    const explained = await Promise.all(
      names.map(name => router.explain(query(name).permission, principal)),
    );
    const decided = await (await routerWith()).decide(names);
    expect(explained.map(({ result, reason }) => `${result} ${reason}`)).toEqual(
      decided,
    );
  });

  it('compares a source with batch to one without: the same', async () => {
    const { sources, ...rest } = settings(opa.url, 'policy_router/batch');
    const alone = settings(opa.url).sources.opa;
    const router = await startRouter({
      ...rest,
      sources: { opa: alone, next: sources.opa },
      shadow: { opa: 'next' },
    });
    routers.push(router);
    const names = ['0', '1', '2', '5', '6', '7', '8'].map(end => `permission.${end}`);
    await Promise.all(names.map(name => router.decide(query(name), USER)));
    await compared(router.shadows, names.length);
    // The question without an answer says nothing of either.
    expect(countsOf(router.shadows)).toEqual([
      expect.stringMatching(/: 6 same, 1 (live|both|shadow)_\w+$/),
    ]);
  });

  it.each(['policy_router/batch', 'policy_router/missing'])(
    'is no matter to policy-router test: %s',
    async batch => {
      const cwd = await mkdtemp(join(tmpdir(), 'batch-cli-'));
      const policyRouter = settings('http://127.0.0.1:1', batch);
      await writeFile(
        join(cwd, 'app-config.yaml'),
        JSON.stringify({ permission: { policyRouter } }),
      );
      const cases = [
        ['0', 'ALLOW'],
        ['1', 'DENY'],
        ['2', 'DENY'],
        ['5', 'ALLOW'],
      ].map(([end, expected]) => ({
        user: 'olivia',
        permission: { name: `permission.${end}`, type: 'basic', action: 'read' },
        expect: expected,
      }));
      await writeFile(
        join(cwd, 'tests.yaml'),
        JSON.stringify({ users: { olivia: {} }, cases }),
      );
      const ran = await runPolicyRouter(['test', 'tests.yaml', '--opa', opa.url], {
        cwd,
      });
      await rm(cwd, { recursive: true });
      expect(ran.err).toBe('');
      expect(ran.out).toContain('4 passed');
      expect(ran.code).toBe(0);
    },
  );
});
