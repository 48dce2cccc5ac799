/** What a change would do, shown by the commands of docs/replay.md, and what it then does. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Replayed } from '../../src/cli/replay/tally';
import { declaring } from '../fixtures/declaring-plugins';
import { auditEvents } from '../support/audit-lines';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { runPolicyRouter } from '../support/cli';
import { testCommandsOf } from '../support/documented-commands';
import { Guide } from '../support/guide';
import { until } from '../support/until';

const PAGE = 'docs/replay.md';
const URL_OF_PAGE = 'http://localhost:7007';
const SERVICE_TOKEN = 'a-service-token-of-sixteen';

/** Of observe. */
const UNTIL = '2099-01-31';

const READ_ENTITY = onEntity('catalog.entity.read', 'read');
const UPDATE = onEntity('catalog.entity.refresh', 'update');
const DELETE = onEntity('catalog.entity.delete', 'delete');
const CREATE = basic('catalog.entity.create', 'create');
const LOCATION = basic('catalog.location.delete', 'delete');
/** As the new frontend asks. */
const BY_NAME = basic('catalog.entity.delete');

let backend: RunningBackend;
let petra: string;
let nolan: string;

const [FROM_PAGE] = new Guide(PAGE).all('What would a change do?', 'yaml');
const { permission } = parse(FROM_PAGE!) as {
  permission: { policyRouter: { routes: object[] } & Record<string, unknown> };
};
const { policyRouter } = permission;

beforeAll(async () => {
  backend = await startBackend({
    policyRouter,
    config: {
      backend: {
        auth: {
          externalAccess: [
            { type: 'static', options: { token: SERVICE_TOKEN, subject: 'ci' } },
          ],
        },
      },
    },
    features: [declaring('billing', 'billing.invoice.read')],
  });
  petra = await backend.signIn('petra');
  nolan = await backend.signIn('nolan');
  await until(
    async () => (await run('coverage', '--save', 'saved.json')).code === 0,
    'the plugins were read',
  );
});
afterAll(() => backend.stop());

/** A command against the backend, as a service. */
const run = (command: string, ...args: string[]) =>
  runPolicyRouter([command, '--backend', backend.url, ...args], {
    cwd: backend.folder,
    env: { POLICY_ROUTER_TOKEN: SERVICE_TOKEN },
  });

const decisionsSince = (since: number): number =>
  auditEvents(backend.logs, since).filter(({ eventId }) => eventId === 'decision')
    .length;

/**
 * All that the backend has logged since, as Backstage writes it in production.
 *
 * @param count - of the decisions that must be in it.
 */
async function logSince(since: number, count: number): Promise<string> {
  await until(() => decisionsSince(since) >= count, 'the decisions were audited');
  return backend.logs.lines
    .slice(since)
    .map(
      ({ level, message, meta }) => `${JSON.stringify({ ...meta, level, message })}\n`,
    )
    .join('');
}

const write = (file: string, text: string): void =>
  writeFileSync(join(backend.folder, file), text);

/** Takes another config into use. */
async function use(config: object): Promise<void> {
  const since = backend.logs.lines.length;
  await backend.writeConfig(config);
  await backend.logs.waitFor('The changed config is in use', since);
}

async function askAll(): Promise<void> {
  const questions: Question[] = [
    READ_ENTITY,
    UPDATE,
    DELETE,
    CREATE,
    LOCATION,
    BY_NAME,
  ];
  await authorize(backend.url, nolan, questions);
  await authorize(backend.url, petra, questions);
}

describe(`the commands of ${PAGE}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'policy-router-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (file: string, text: string): void =>
    writeFileSync(join(folder, file), text);
  let isObserving = false;

  /** What the backend logs of these questions of Nolan and Petra, in a file of this name. */
  async function record(
    file: string,
    ofNolan: readonly Question[],
    ofPetra: readonly Question[],
  ): Promise<void> {
    const since = backend.logs.lines.length;
    await authorize(backend.url, nolan, ofNolan);
    await authorize(backend.url, petra, ofPetra);
    const logged = await logSince(since, ofNolan.length + ofPetra.length);
    // How many others there are differs from run to run.
    const audited = logged
      .split('\n')
      .filter(line => line.includes('permission.decision'));
    write(file, ['Listening on :7007', ...audited, ''].join('\n'));
  }

  testCommandsOf('docs/replay.md', {
    // Apart from that of the backend, whose app-config the page's would change.
    folder: () => folder,
    env: () => ({ POLICY_ROUTER_TOKEN: petra }),
    real: word => (word === URL_OF_PAGE ? backend.url : word),
    steady: printed =>
      printed
        .replaceAll(backend.url, URL_OF_PAGE)
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2027-01-31T12:04:31.000Z')
        .replace(/by the table [\da-f]{12}/, 'by the table 15f37a76c995'),
    before: async ({ heading }) => {
      if (heading === 'Decide recorded decisions again') {
        await record(
          'backend.log',
          [CREATE, CREATE, DELETE, READ_ENTITY],
          [LOCATION, CREATE],
        );
      }
      if (heading === 'What would have been denied?' && !isObserving) {
        isObserving = true;
        await use({ ...policyRouter, observe: { answer: 'allow', until: UNTIL } });
        await record(
          'observed.log',
          [CREATE, CREATE, DELETE, READ_ENTITY],
          [DELETE, CREATE, CREATE, CREATE],
        );
      }
    },
  });

  it('compares what was observed as it was recorded', async () => {
    const { code, out } = await runPolicyRouter(['replay', 'observed.log'], {
      cwd: folder,
    });
    expect(code).toBe(0);
    expect(out).toContain('8 decided again\n\nNothing would change.');
  });
});

describe('replay', () => {
  const replay = async (...args: string[]): Promise<Replayed & { code: number }> => {
    const config = ['--config', 'app-config.yaml'];
    const { code, out, err } = await runPolicyRouter(
      ['replay', 'decisions.log', ...config, '--json', ...args],
      { cwd: backend.folder },
    );
    if (!out) throw new Error(err);
    return { ...(JSON.parse(out) as Replayed), code };
  };

  let since: number;
  /** Of the questions, as they were decided by the table of the page. */
  let before: RunningBackend['traces'];

  beforeAll(async () => {
    await use(policyRouter);
    since = backend.logs.lines.length;
    const traced = backend.traces.length;
    await askAll();
    before = backend.traces.slice(traced);
    write('decisions.log', await logSince(since, 12));
  });

  it('finds no change of the table in force', async () => {
    expect(before).toHaveLength(12);
    expect(await replay()).toMatchObject({
      read: 12,
      decidedAgain: 12,
      changed: 0,
      sameByOtherRoute: 0,
      code: 0,
    });
  });

  it('reads the answers of the operations API', async () => {
    const get = async (path: string): Promise<string> => {
      const response = await fetch(`${backend.url}/api/policy-router/v1/${path}`, {
        headers: { authorization: `Bearer ${petra}` },
      });
      return response.text();
    };
    const list = await get('decisions?limit=12');
    const { decisions } = JSON.parse(list) as { decisions: Array<{ number: number }> };
    const details = await Promise.all(
      decisions.map(({ number }) => get(`decisions/${number}`)),
    );
    write('list.json', list);
    write('details.json', details.join(''));
    const replayApi = async (file: string): Promise<unknown> => {
      const { out } = await runPolicyRouter(
        ['replay', file, '--config', 'app-config.yaml', '--json'],
        { cwd: backend.folder },
      );
      return JSON.parse(out);
    };
    expect(await replayApi('details.json')).toMatchObject({
      read: 12,
      decidedAgain: 12,
      changed: 0,
    });
    // Two are decided by `allow`.
    expect(await replayApi('list.json')).toMatchObject({
      read: 12,
      decidedAgain: 2,
      byRoute: { withoutRefs: 10 },
      changed: 0,
      otherRoute: 0,
    });
  });

  it('finds the changes that the backend makes with another table', async () => {
    const routes = [
      { prefix: 'catalog', sources: ['deny'] },
      { prefix: 'catalog.entity', sources: ['ownership'], default: 'allow' },
      {
        prefix: 'catalog.entity',
        actions: ['delete', 'read'],
        sources: ['allow', 'ownership'],
        combine: 'allow-overrides',
      },
    ];
    write('new.yaml', JSON.stringify({ fallback: 'deny', routes }));
    const { groups, changed, code } = await replay('--table', 'new.yaml');
    expect(code).toBe(1);

    await use({ ...policyRouter, routes });
    const traced = backend.traces.length;
    await askAll();
    await until(() => backend.traces.length >= traced + before.length, 'all is traced');
    const after = backend.traces.slice(traced);
    expect(after).toHaveLength(before.length);

    const changes = before.flatMap((old, index) => {
      const now = after[index]!;
      expect([now.permission?.name, now.user]).toEqual([
        old.permission?.name,
        old.user,
      ]);
      if (old.result === now.result) return [];
      return [
        `${old.permission!.name}: ${old.result} by ${old.route} → ${now.result} by ${now.route}`,
      ];
    });
    const replayed = groups.flatMap(({ permission: name, from, to, count }) =>
      Array<string>(count).fill(
        `${name}: ${from.result} by ${from.route} → ${to.result} by ${to.route}`,
      ),
    );
    expect(changes.length).toBeGreaterThan(3);
    expect(changed).toBe(changes.length);
    expect(replayed.sort()).toEqual(changes.sort());
  });
});

describe('coverage', () => {
  it('is the same without the backend', async () => {
    const { code, out, err } = await run('coverage', '--save', 'saved.json', '--json');
    expect(code).toBe(0);
    expect(err).toContain(`saved.json has what 2 plugins declare.\n`);
    const online = JSON.parse(out) as Record<string, unknown>;
    delete online.replica;
    const offline = await runPolicyRouter(
      ['coverage', '--metadata', 'saved.json', '--config', 'app-config.yaml', '--json'],
      { cwd: backend.folder },
    );
    expect(offline.err).toBe('');
    expect(JSON.parse(offline.out)).toEqual(online);
  });

  it('saves the rules of the plugins', () => {
    const saved = readFileSync(join(backend.folder, 'saved.json'), 'utf8');
    const { plugins } = JSON.parse(saved) as {
      plugins: Record<string, { rules: Array<{ name: string }> }>;
    };
    expect(plugins.catalog!.rules.map(({ name }) => name)).toContain('IS_ENTITY_OWNER');
    expect(plugins.billing!.rules).toEqual([]);
  });

  it.each([
    ['no token', undefined, 'answered HTTP 401', 'Set POLICY_ROUTER_TOKEN'],
    ['a wrong one', 'a-wrong-token-of-sixteen', 'answered HTTP 401', 'has expired'],
  ])('needs a token: %s', async (_what, token, ...said) => {
    const { code, out, err } = await runPolicyRouter(
      ['coverage', '--backend', backend.url],
      { env: { POLICY_ROUTER_TOKEN: token } },
    );
    expect([code, out]).toEqual([3, '']);
    for (const each of said) expect(err).toContain(each);
    if (token) expect(err).not.toContain(token);
  });

  it('is for operators and services', async () => {
    const { code, err } = await runPolicyRouter(
      ['coverage', '--backend', backend.url, '--token', nolan],
      {},
    );
    expect(code).toBe(3);
    expect(err).toContain('answered HTTP 403: only operators may see this');
    expect(err).not.toContain(nolan);
  });
});
