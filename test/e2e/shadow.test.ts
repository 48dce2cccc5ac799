/**
 * Two policies of a real OPA, compared on a real backend as docs/shadow.md says. To write what
 * `GET shadow` answers to the page:
 *
 *   UPDATE_DOCS=1 npx jest test/e2e/shadow
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import {
  authorize,
  basic,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { Guide } from '../support/guide';
import { startOpa, type OpaServer } from '../support/opa-server';
import { operations } from '../support/operations';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const PAGE = 'docs/shadow.md';
const TASK = basic('scaffolder.task.create', 'create');
const page = new Guide(PAGE);

/** The policy of the page: that of config/ with its changes. */
function nextPolicy(): string {
  const changes = page.all('Compare two policies', 'diff');
  return changes.reduce(
    (policy, change) => {
      const side = (sign: '-' | '+'): string =>
        change
          .split('\n')
          .filter(line => line.startsWith(' ') || line.startsWith(sign))
          .map(line => `${line.slice(1)}\n`)
          .join('');
      expect(policy).toContain(side('-'));
      return policy.replace(side('-'), () => side('+'));
    },
    readFileSync('config/policies/backstage.rego', 'utf8'),
  );
}

interface Config {
  readonly permission: { readonly policyRouter: object };
}

/** What the page says, with the OPA of this test. */
const configOf = (url: string): object => {
  const yaml = page.block('Compare two policies', 'yaml');
  const { permission } = parse(yaml.replaceAll('http://127.0.0.1:8181', url)) as Config;
  return {
    routingFile: resolve('config/routing.yaml'),
    operators: ['group:default/platform'],
    ...permission.policyRouter,
  };
};

describeWithOpa(PAGE, () => {
  let opa: OpaServer;
  let backend: RunningBackend;
  let petra: string;

  const shadow = async (query = ''): Promise<Record<string, never>> =>
    (await operations(backend.url, petra).get(`shadow${query}`)).body as never;
  const countsOf = async (): Promise<object[]> => (await shadow()).counts as never;

  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['config/policies/backstage.rego'],
    });
    const loaded = await fetch(`${opa.url}/v1/policies/next`, {
      method: 'PUT',
      body: nextPolicy(),
    });
    expect(loaded.status).toBe(200);
    const config = configOf(opa.url) as { sources: object; shadow?: object };
    backend = await startBackend({
      policyRouter: {
        ...config,
        shadow: {},
        sources: { ...config.sources, ownership: { type: 'ownership' } },
      },
    });
    petra = await backend.signIn('petra');
  });

  afterAll(async () => {
    await backend?.stop();
    await opa?.stop();
  });

  it('compares nothing until it is named', async () => {
    await authorize(backend.url, petra, [TASK]);
    expect(await shadow()).toMatchObject({ shadows: {}, counts: [], differences: [] });
  });

  it('lists what differs, with both reasons', async () => {
    const config = configOf(opa.url) as { sources: object };
    await backend.writeConfig({
      ...config,
      sources: { ...config.sources, ownership: { type: 'ownership' } },
    });
    const line = await backend.logs.waitFor('The changed config is in use');
    expect(line.message).toContain(
      "Compared, and never enforced: 'opa' with 'opa-next'.",
    );
    for (const person of ['olivia', 'nolan'] as const) {
      const token = await backend.signIn(person);
      const { results } = await authorize(backend.url, token, [TASK]);
      expect(results).toEqual(['ALLOW']);
    }
    await until(
      async () => JSON.stringify(await countsOf()).includes('"same":1,"differs":1'),
      'both were compared',
    );
    expect((await shadow()).differences).toMatchObject([
      {
        user: 'user:default/nolan',
        live: { result: 'ALLOW', reason: expect.any(String) as string },
        shadow: {
          result: 'DENY',
          reason: 'the Rego policy says DENY: templates are for the team payments',
        },
      },
    ]);
  });

  it('prints what the page says', async () => {
    const command = page.block('See what differs', 'sh');
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-euc', command.replaceAll('http://localhost:7007', backend.url)],
      { env: { ...process.env, token: petra } },
    );
    const printed = stdout
      .replaceAll(`"${hostname()}"`, '"backstage-6d4cf56db6-x2x5r"')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-11-27T12:04:31.123Z');
    const shown = page.block('See what differs', 'json');
    if (process.env.UPDATE_DOCS === '1') {
      const content = readFileSync(PAGE, 'utf8');
      writeFileSync(
        PAGE,
        content.replace(`\`\`\`json\n${shown}`, () => `\`\`\`json\n${printed}`),
      );
    } else expect(printed).toBe(shown);
  });

  it.each([
    ['?route=%27scaffolder%27', 1],
    ['?route=%27catalog%27', 0],
    ['?user=USER:default/nolan&permission=scaffolder', 1],
    ['?user=user:default/olivia', 0],
    ['?permission=catalog', 0],
  ])('selects differences by %s', async (query, count) => {
    expect((await shadow(query)).differences).toHaveLength(count);
  });

  it('says what a query may be', async () => {
    const { status, body } = await operations(backend.url, petra).get(
      'shadow?limit=201',
    );
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain('must be a whole number from 1 to 200');
  });
});
