/** The audit in a real backend, whose auditor writes it into the log. */
import { createInterface } from 'node:readline';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { auditEvents, auditLines, type AuditLine } from '../support/audit-lines';
import type { LogLine } from '../support/captured-logs';
import { Guide } from '../support/guide';
import { startOpa, type OpaServer } from '../support/opa-server';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const IN_USE = 'The changed config is in use';
const STARTED = 'The policy router is the permission policy';

/** The URL of a port at which nothing listens. */
async function closedPort(): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

/** As JSON, which is how Backstage logs in production. */
const bytesOf = (lines: readonly object[]): number =>
  lines.reduce((sum, line) => sum + Buffer.byteLength(JSON.stringify(line)), 0);

const digestIn = (message: string): string => /Digest (\w+)/.exec(message)![1]!;

describe('every mode', () => {
  let backend: RunningBackend;
  let nolan: string;
  let petra: string;

  const policyRouter = async (more: object = {}): Promise<object> => ({
    fallback: 'deny',
    sources: {
      gone: { type: 'opa', baseUrl: await closedPort(), entrypoint: 'a/b' },
      open: {
        type: 'opa',
        baseUrl: await closedPort(),
        entrypoint: 'a/b',
        onUnavailable: 'fail-open',
      },
      replaced: {
        type: 'opa',
        baseUrl: await closedPort(),
        entrypoint: 'a/b',
        standby: 'ownership',
      },
      ownership: { type: 'ownership', bypass: ['group:default/platform'] },
    },
    routes: [
      { prefix: 'free', sources: ['allow'] },
      { prefix: 'gone', sources: ['gone'] },
      { prefix: 'open', sources: ['open'] },
      { prefix: 'catalog', sources: ['ownership'] },
      { prefix: 'catalog.entity', actions: ['update'], sources: ['replaced'] },
    ],
    ...more,
  });

  beforeAll(async () => {
    backend = await startBackend({ policyRouter: await policyRouter() });
    nolan = await backend.signIn('nolan');
    petra = await backend.signIn('petra');
  });
  afterAll(() => backend.stop());

  /** All events of these questions; waits for one more, which is audited in every mode but `off`. */
  async function eventsOf(
    token: string,
    ...questions: ReadonlyArray<Parameters<typeof authorize>[2][number]>
  ): Promise<AuditLine[]> {
    const since = backend.logs.lines.length;
    const last = `last.q${since}`;
    await authorize(backend.url, token, questions);
    await authorize(backend.url, token, [basic(last)]);
    const isLast = ({ meta }: AuditLine): boolean =>
      (meta.permission as { name?: string } | undefined)?.name === last;
    await until(
      () => auditEvents(backend.logs, since).some(isLast),
      'the audit has an event of the last question',
    );
    return auditEvents(backend.logs, since).filter(event => !isLast(event));
  }

  const told = ({ eventId, meta }: AuditLine) => [eventId, meta.result];
  const everything = [
    basic('free.read', 'read'),
    basic('other.read', 'read'),
    onEntity('catalog.entity.delete', 'delete'),
    basic('gone.read', 'read'),
    basic('open.read', 'read'),
    onEntity('catalog.entity.update', 'update'),
  ];

  it('denials: what is denied, and what is allowed by fail-open, bypass or standby', async () => {
    const events = await eventsOf(nolan, ...everything);
    expect(events.map(told).sort()).toEqual([
      ['decision', 'DENY'],
      ['outage', 'ALLOW'],
      ['outage', 'CONDITIONAL'],
      ['outage', 'DENY'],
    ]);
    const [denied] = events.filter(({ eventId }) => eventId === 'decision');
    expect(denied).toMatchObject({
      level: 'info',
      meta: {
        schemaVersion: 1,
        user: 'user:default/nolan',
        permission: { name: 'other.read', type: 'basic', action: 'read' },
        route: 'fallback',
        result: 'DENY',
      },
    });
    expect(JSON.stringify(events)).not.toContain('group:default/search');

    const again = await eventsOf(nolan, ...everything);
    expect(again.map(told)).toEqual([['decision', 'DENY']]);

    const [bypassed, ...others] = await eventsOf(
      petra,
      onEntity('catalog.entity.delete', 'delete'),
    );
    expect(others).toEqual([]);
    expect(bypassed).toMatchObject({
      eventId: 'decision',
      meta: { user: 'user:default/petra', result: 'ALLOW', bypass: true },
    });
  });

  it('all: everything, each for itself, with refs and conditions', async () => {
    const since = backend.logs.lines.length;
    await backend.writeConfig(await policyRouter({ audit: 'all' }));
    await backend.logs.waitFor(IN_USE, since);
    // What the outage has counted is not lost.
    await until(
      () => auditEvents(backend.logs, since).some(({ meta }) => meta.count === 1),
      'the outage is in the audit',
    );
    const events = await eventsOf(nolan, ...everything, ...everything);
    expect(events).toHaveLength(2 * everything.length);
    expect(new Set(events.map(({ eventId }) => eventId))).toEqual(
      new Set(['decision']),
    );
    const conditional = events.find(
      ({ meta }) =>
        (meta.permission as { name: string }).name === 'catalog.entity.delete',
    );
    expect(conditional!.meta).toMatchObject({
      permission: {
        type: 'resource',
        action: 'delete',
        resourceType: 'catalog-entity',
      },
      refs: ['user:default/nolan', 'group:default/search'],
      conditions: { anyOf: [{ rule: 'IS_ENTITY_OWNER' }] },
    });
  });

  it('says it once: the line of the event that begins has no content', async () => {
    const lines = auditLines(backend.logs);
    const begun = lines.filter(({ status }) => status === 'initiated');
    expect(begun.length).toBeGreaterThan(0);
    expect(begun.filter(({ meta }) => Object.keys(meta).length > 0)).toEqual([]);
  });

  it('off: nothing; and the tables before and after each change, but not of the start', async () => {
    const started = digestIn(
      backend.logs.lines.find(({ message }) => message.startsWith(STARTED))!.message,
    );
    const second = digestIn((await backend.logs.waitFor(IN_USE)).message);
    const since = backend.logs.lines.length;
    await backend.writeConfig(await policyRouter({ audit: 'off', fallback: 'allow' }));
    const third = digestIn((await backend.logs.waitFor(IN_USE, since)).message);
    await until(
      () => auditEvents(backend.logs, since).length > 0,
      'the change is in the audit',
    );
    const changes = auditEvents(backend.logs).filter(
      ({ eventId }) => eventId === 'table-changed',
    );
    // The closed ports differ too.
    expect(changes.map(({ level, meta }) => [level, meta.previous, meta.next])).toEqual(
      [
        ['info', started, second],
        ['info', second, third],
      ],
    );

    const quiet = backend.logs.lines.length;
    await authorize(backend.url, nolan, everything);
    const back = backend.logs.lines.length;
    await backend.writeConfig(await policyRouter({ audit: 'all' }));
    await backend.logs.waitFor(IN_USE, back);
    await eventsOf(nolan, basic('free.read', 'read'));
    const after = auditEvents(backend.logs, quiet).slice(0, -1);
    expect(after.map(({ eventId }) => eventId)).toEqual(['table-changed', 'decision']);
    expect(after[1]!.meta.permission).toMatchObject({ name: 'free.read' });
  });
});

describe('an outage with 64 clients', () => {
  /**
   * What 64 clients get of a backend in 20 seconds if they ask one by one: on two cores some 500 a
   * second. Here they ask in batches, which takes less time; the log of the router depends on the
   * decisions alone.
   */
  const DECISIONS = 20_000;
  const CLIENTS = 64;
  const PER_REQUEST = 100;

  it('leaves at most 1 MB of log in 20 seconds under denials', async () => {
    const backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          opa: { type: 'opa', baseUrl: await closedPort(), entrypoint: 'a/b' },
          open: {
            type: 'opa',
            baseUrl: await closedPort(),
            entrypoint: 'a/b',
            onUnavailable: 'fail-open',
          },
        },
        routes: [
          { prefix: 'tested', sources: ['opa'] },
          { prefix: 'opened', sources: ['open'] },
        ],
      },
    });
    const token = await backend.signIn('nolan');
    const since = backend.logs.lines.length;
    let left = DECISIONS;
    const client = async (): Promise<void> => {
      while (left > 0) {
        left -= PER_REQUEST;
        // Each is another one, so that none is shared.
        const questions = Array.from({ length: PER_REQUEST }, (_, index) =>
          basic(`${index % 2 ? 'tested' : 'opened'}.q${left}.${index}`),
        );
        const { status } = await authorize(backend.url, token, questions);
        expect(status).toBe(200);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    const made = backend.traces.length;
    await backend.stop();
    expect(made).toBeGreaterThanOrEqual(DECISIONS);
    const written = backend.logs.lines
      .slice(since)
      // Backstage's own line about each request is the same without the router.
      .filter(
        ({ level, meta }) => level !== 'debug' && meta.type !== 'incomingRequest',
      );
    expect(bytesOf(written)).toBeLessThan(1_000_000);
    const events = auditEvents(backend.logs, since);
    const counted = events.reduce((sum, { meta }) => sum + Number(meta.count), 0);
    // Nothing is lost: each decision is counted in one event.
    expect(counted).toBe(made);
  });
});

describeWithOpa('an OPA that logs its decisions', () => {
  let opa: OpaServer;
  let backend: RunningBackend;
  const opaLines: string[] = [];

  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['config/policies/backstage.rego'],
      args: ['--set', 'decision_logs.console=true'],
    });
    for (const stream of [opa.process.stdout!, opa.process.stderr!]) {
      createInterface(stream).on('line', line => opaLines.push(line));
    }
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          opa: {
            type: 'opa',
            baseUrl: opa.url,
            entrypoint: 'backstage_policy/decision',
          },
        },
        routes: [{ prefix: '', sources: ['opa'] }],
      },
    });
  });
  afterAll(async () => {
    await backend.stop();
    await opa.stop();
  });

  it('has the same id in its line as our event', async () => {
    const token = await backend.signIn('nolan');
    await authorize(backend.url, token, [basic('catalog.location.delete', 'delete')]);
    await until(() => auditEvents(backend.logs).length > 0, 'there is an audit event');
    const [{ meta }] = auditEvents(backend.logs) as [AuditLine];
    const [{ decisionId }] = meta.sources as [{ decisionId: string }];
    expect(decisionId).toMatch(/^[\w-]{36}$/);
    interface Logged {
      readonly decision_id?: string;
      readonly input?: unknown;
      readonly result?: unknown;
    }
    const lineOf = (): Logged | undefined =>
      opaLines
        .map(line => JSON.parse(line) as Logged)
        .find(({ decision_id: id }) => id === decisionId);
    await until(lineOf, "OPA's line has been read");
    expect(lineOf()).toMatchObject({
      input: {
        permission: { name: 'catalog.location.delete' },
        identity: { user: 'user:default/nolan' },
      },
      result: { result: 'DENY' },
    });
    expect(meta).toMatchObject({
      user: 'user:default/nolan',
      permission: { name: 'catalog.location.delete' },
      result: 'DENY',
    });

    // The example of the page; only its time and id differ.
    const shown = JSON.parse(
      new Guide('docs/audit.md').block('The events', 'json'),
    ) as LogLine['meta'] & { meta: { at: string; sources: unknown } };
    const { meta: line } = backend.logs.lines.find(
      each =>
        each.meta.status === 'succeeded' && each.message === 'permission.decision',
    )!;
    expect(line).toEqual({
      ...shown,
      meta: {
        ...shown.meta,
        at: meta.at,
        sources: [{ source: 'opa', verdict: 'DENY', decisionId }],
      },
    });
  });
});
