/**
 * Whatever a peer does with a request of several questions, each is decided as by itself, under
 * fail-closed and under fail-open: routers in this process with `batch` beside ones without.
 */
import type { Socket } from 'node:net';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import type { DecisionRecord } from '../../src/trace/record';
import { reset, response, saysAndResets } from '../faults/stub-peer';
import { permission } from '../fixtures/builders';
import { CapturedLogs } from '../support/captured-logs';
import { measureLoop, takeLoopForIdle } from '../support/idle-loop';
import { startRouter } from '../support/router';
import { startStub } from '../support/stub-server';

// The peers are in this process too, so it may be busy while they are waited for.
beforeAll(takeLoopForIdle);
afterAll(measureLoop);

/** Milliseconds; a request with several questions is late after a quarter of it. */
const TIMEOUT = 3_000;
/** The failure comes at once, so that a busy machine is never mistaken for it. */
const PATIENT = 60_000;
const MAX_BYTES = 4_096;
const TOKEN = 'a-secret-token';
const ENTRYPOINT = 'team/decision';
const MODES = ['fail-closed', 'fail-open'] as const;
type Mode = (typeof MODES)[number];

interface Asked {
  readonly user: string;
  readonly name: string;
}

/** Two users ask at once; the questions of one have a poisonous one among them. */
const ASKED: readonly Asked[] = [
  ...['a', 'b', 'poison', 'c'].map(name => ({ user: 'dana', name })),
  ...['a', 'b', 'c'].map(name => ({ user: 'olivia', name })),
];

/** So that no answer can be mistaken for that of another question or user. */
const RESULTS: Readonly<Record<string, string>> = {
  'dana a': 'ALLOW',
  'dana b': 'DENY',
  'dana c': 'NOT_APPLICABLE',
  'dana poison': 'DENY',
  'olivia a': 'DENY',
  'olivia b': 'ALLOW',
  'olivia c': 'DENY',
};

const decisionOn = ({ user, name }: Asked): object => ({
  result: RESULTS[`${user} ${name}`],
});

/** What the peer received: one question, or several by their ids. */
type Received = { readonly user: string } & (
  { readonly name: string } | { readonly ids: Readonly<Record<string, string>> }
);

interface Body {
  readonly input: {
    readonly identity: { readonly user: string };
    readonly permission?: { readonly name: string };
    readonly permissions?: Record<string, { readonly name: string }>;
  };
}

function receivedIn(request: string): Received {
  const { input } = JSON.parse(request.split('\r\n\r\n')[1]!) as Body;
  const user = input.identity.user.replace('user:default/', '');
  if (input.permission) return { user, name: input.permission.name };
  const ids = Object.entries(input.permissions!).map(([id, { name }]) => [id, name]);
  return { user, ids: Object.fromEntries(ids) as Record<string, string> };
}

/** As OPA answers, the rule included. */
function good(received: Received): unknown {
  const { user } = received;
  if ('name' in received) return decisionOn(received);
  const decisions = Object.entries(received.ids).map(([id, name]) => [
    id,
    decisionOn({ user, name }),
  ]);
  return {
    version: 1,
    entrypoint: ENTRYPOINT,
    decisions: Object.fromEntries(decisions) as object,
  };
}

/** What a peer does with a request. */
type Does = (socket: Socket, received: Received) => void;

const says =
  (bytes: string | Buffer): Does =>
  socket =>
    socket.write(bytes);

const answers: Does = (socket, received) =>
  socket.write(response(JSON.stringify({ result: good(received) })));

const answersAfter =
  (milliseconds: number): Does =>
  (socket, received) => {
    const timer = setTimeout(() => answers(socket, received), milliseconds);
    socket.once('close', () => clearTimeout(timer));
  };

/** The answer of an open door, with this status. */
const status = (line: string): Does =>
  says(response(JSON.stringify({ result: { result: 'ALLOW' } }), line));

interface Fault {
  readonly does: Does;
  /** Milliseconds; default: so many that it is not reached. */
  readonly timeout?: number;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'never answers': { does: () => {}, timeout: TIMEOUT },
  'sends headers and never a body': {
    does: says('HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n'),
    timeout: TIMEOUT,
  },
  'is slow, but in time': { does: answersAfter(TIMEOUT / 3), timeout: TIMEOUT },
  'is too slow': { does: answersAfter(1.5 * TIMEOUT), timeout: TIMEOUT },
  'resets the connection': { does: reset },
  'closes the connection': { does: socket => void socket.end() },
  'resets in the middle of the body': {
    does: socket =>
      saysAndResets('HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"result":')(
        socket,
        '',
      ),
  },
  'does not speak HTTP': { does: says('hello\r\n\r\n') },
  'does not answer JSON': { does: says(response('<html>')) },
  'answers null': { does: says(response('null')) },
  'answers too much': {
    does: says(response(JSON.stringify({ result: { x: 'x'.repeat(2 * MAX_BYTES) } }))),
  },
  'repeats the bearer token': {
    does: says(
      response(JSON.stringify({ result: { result: 'ALLOW', reason: TOKEN } })),
    ),
  },
  ...Object.fromEntries(
    [
      '302 Found',
      '400 Bad Request',
      '401 Unauthorized',
      '403 Forbidden',
      '404 Not Found',
      '413 Content Too Large',
      '429 Too Many Requests',
      '500 Internal Server Error',
      '502 Bad Gateway',
      '503 Service Unavailable',
    ].map(line => [`answers ${line}`, { does: status(line) }]),
  ),
};

/** Of a request with several questions: answers that are none to it. */
const WRONG: Readonly<Record<string, (rule: Rule) => unknown>> = {
  'has the ids of another request': rule => ({
    ...rule,
    decisions: Object.fromEntries(
      Object.keys(rule.decisions).map(id => [`0${id.slice(1)}x`, OPEN]),
    ),
  }),
  'has an id more': rule => ({ ...rule, decisions: { ...rule.decisions, x: OPEN } }),
  'has names for ids': rule => ({ ...rule, decisions: { a: OPEN, b: OPEN } }),
  'is of another version': rule => ({ ...opened(rule), version: 2 }),
  'is for another entrypoint': rule => ({ ...opened(rule), entrypoint: 'team/other' }),
  'is a decision': () => OPEN,
  'is a list': rule => ({
    ...rule,
    decisions: Object.keys(rule.decisions).map(() => OPEN),
  }),
  'has no decisions': rule => ({ ...rule, decisions: undefined }),
  'is undefined': () => undefined,
  'repeats the bearer token': rule => ({
    ...opened(rule),
    note: `Bearer ${TOKEN}`,
  }),
};

interface Rule {
  readonly decisions: Record<string, unknown>;
}

const OPEN = { result: 'ALLOW' };

const opened = (rule: Rule): Rule => ({
  ...rule,
  decisions: Object.fromEntries(Object.keys(rule.decisions).map(id => [id, OPEN])),
});

const userOf = (name: string): PolicyQueryUser => ({
  credentials: { $$type: '@backstage/BackstageCredentials', principal: {} },
  info: { userEntityRef: `user:default/${name}`, ownershipEntityRefs: [] },
});

/** What became of each question, in words; how many were answered in a request of several. */
interface Seen {
  readonly decided: readonly string[];
  readonly batched: number;
  /** Everything that was recorded and logged. */
  readonly said: string;
}

async function ask(
  does: Does,
  mode: Mode,
  batch: boolean,
  timeout = PATIENT,
  asked: readonly Asked[] = ASKED,
): Promise<Seen> {
  const stub = await startStub((socket, request) => does(socket, receivedIn(request)));
  const records = new Map<string, DecisionRecord>();
  const logs = new CapturedLogs();
  const router = await startRouter(
    {
      fallback: 'deny',
      deadline: `${2 * timeout}ms`,
      sources: {
        opa: {
          type: 'opa',
          baseUrl: stub.url,
          entrypoint: ENTRYPOINT,
          timeout: `${timeout}ms`,
          onUnavailable: mode,
          maxResponseBytes: MAX_BYTES,
          auth: { token: TOKEN },
          circuitBreaker: { volumeThreshold: 1_000_000 },
          ...(batch ? { batch: 'policy_router/batch' } : {}),
        },
      },
      routes: [{ prefix: '', sources: ['opa'] }],
    },
    {
      logger: logs.logger(),
      sinks: [
        record => void records.set(`${record.user} ${record.permission?.name}`, record),
      ],
    },
  );
  await Promise.all(
    asked.map(({ user, name }) =>
      router.decide({ permission: permission(name) }, userOf(user)),
    ),
  );
  router.close();
  await stub.stop();
  const all = asked.map(each => records.get(`user:default/${each.user} ${each.name}`)!);
  return {
    decided: all.map(inWords),
    batched: all.filter(({ sources }) => sources[0]?.batched !== undefined).length,
    said: JSON.stringify([all, logs.lines]),
  };
}

function inWords({ user, permission: asked, result, sources }: DecisionRecord): string {
  const { verdict, failure } = sources[0]!;
  const code = ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'].includes(failure?.code ?? '')
    ? 'LOST'
    : failure?.code;
  const why = failure ? ` ${failure.class} ${code}` : '';
  return `${user?.split('/')[1]} ${asked?.name}: ${result}, ${verdict}${why}`;
}

/** What the healthy policy says of them. */
const healthy = (asked: readonly Asked[] = ASKED): string[] =>
  asked.map(({ user, name }) => {
    const verdict = RESULTS[`${user} ${name}`]!;
    const result = verdict === 'NOT_APPLICABLE' ? 'DENY' : verdict;
    return `${user} ${name}: ${result}, ${verdict}`;
  });

const isPoisoned = (received: Received): boolean =>
  'name' in received
    ? received.name === 'poison'
    : Object.values(received.ids).includes('poison');

describe('a peer that answers well', () => {
  it.each(MODES)('answers several questions in one request: %s', async mode => {
    const seen = await ask(answers, mode, true);
    expect(seen.decided).toEqual(healthy());
    expect(seen.batched).toBe(ASKED.length);
  });
});

describe.each(MODES)('%s: a peer that', mode => {
  // All are asked at once, because some take the whole timeout.
  const under = (fault: Fault, does: (given: Does) => Does) =>
    Promise.all([
      ask(does(fault.does), mode, false, fault.timeout),
      ask(does(fault.does), mode, true, fault.timeout),
    ]);
  const plays = new Map<string, ReturnType<typeof play>>();
  const play = (fault: Fault) =>
    Promise.all([
      under(fault, bad => bad),
      under(
        fault,
        bad => (socket, received) =>
          (isPoisoned(received) ? bad : answers)(socket, received),
      ),
      ask(
        (socket, received) =>
          ('ids' in received ? fault.does : answers)(socket, received),
        mode,
        true,
        fault.timeout,
      ),
      ask(
        (socket, received) =>
          ('ids' in received ? answers : fault.does)(socket, received),
        mode,
        true,
        fault.timeout,
      ),
    ]);

  beforeAll(() => {
    for (const [name, fault] of Object.entries(FAULTS))
      if (fault.timeout !== undefined) plays.set(name, play(fault));
  });

  it.each(Object.entries(FAULTS))('%s', async (name, fault) => {
    const [always, poisoned, ofBatches, ofSingles] = await (plays.get(name) ??
      play(fault));
    // Always: the same failures.
    expect(always[1].decided).toEqual(always[0].decided);
    // For one question: the same failure of it, and of no other.
    expect(poisoned[1].decided).toEqual(poisoned[0].decided);
    const others = (decided: readonly string[]): string[] =>
      decided.filter(each => !each.includes('poison'));
    expect(others(poisoned[1].decided)).toEqual(others(healthy()));
    // Only for requests of several, or only for single questions: no failure.
    expect(ofBatches.decided).toEqual(healthy());
    expect(ofSingles.decided).toEqual(healthy());
    for (const seen of [...always, ...poisoned, ofBatches, ofSingles])
      expect(seen.said).not.toContain(TOKEN);
  });
});

describe.each(MODES)('%s: an answer to several questions that', mode => {
  it.each(Object.entries(WRONG))('%s is used for none', async (_name, wrong) => {
    const seen = await ask(
      (socket, received) => {
        if ('name' in received) answers(socket, received);
        else
          socket.write(
            response(JSON.stringify({ result: wrong(good(received) as Rule) })),
          );
      },
      mode,
      true,
    );
    expect(seen.decided).toEqual(healthy());
    expect(seen.batched).toBe(0);
    expect(seen.said).not.toContain(TOKEN);
  });

  it('has two answers to one question is used for none', async () => {
    const seen = await ask(
      (socket, received) => {
        if ('name' in received) return answers(socket, received);
        const text = JSON.stringify({ result: good(received) });
        const [id] = Object.keys(received.ids);
        const twice = `"decisions":{"${id}":{"result":"ALLOW"},`;
        socket.write(response(text.replace('"decisions":{', twice)));
      },
      mode,
      true,
    );
    expect(seen.decided).toEqual(healthy());
    expect(seen.batched).toBe(0);
  });

  it('lacks one is undefined for that one only', async () => {
    const seen = await ask(
      (socket, received) => {
        const result = good(received) as Rule;
        if ('ids' in received && received.user === 'dana')
          delete result.decisions[Object.keys(received.ids)[0]!];
        socket.write(response(JSON.stringify({ result })));
      },
      mode,
      true,
    );
    expect(seen.decided).toEqual([
      'dana a: DENY, DENY invalid UNDEFINED_DECISION',
      ...healthy().slice(1),
    ]);
  });
});
