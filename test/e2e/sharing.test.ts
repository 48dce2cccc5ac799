/**
 * Identical questions share one request to OPA, and nobody gets the answer to someone else's
 * question: many people ask the same at the same moment.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  authorize,
  basic,
  startBackend,
  temporaryFolder,
  type Authorized,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { startOpa, type OpaServer } from '../support/opa-server';
import { decision, startStub, type StubServer } from '../support/stub-server';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const PEOPLE = ['olivia', 'nolan', 'petra'] as const;
type Name = (typeof PEOPLE)[number];

/** Each permission belongs to one person, only for `read` and without a resource type. */
const POLICY = `package sharing

import rego.v1

default decision := {"result": "DENY"}

decision := {"result": "ALLOW"} if {
	input.identity.user == concat("", ["user:default/", split(input.permission.name, ".")[1]])
	input.permission.attributes.action == "read"
	not input.permission.resourceType == "secret"
}
`;

const signInAll = async (backend: RunningBackend): Promise<Record<Name, string>> => ({
  olivia: await backend.signIn('olivia'),
  nolan: await backend.signIn('nolan'),
  petra: await backend.signIn('petra'),
});

const readOf = (name: Name): Question => basic(`asked.${name}`, 'read');

describeWithOpa('many people who ask OPA the same at once', () => {
  let folder: string;
  let opa: OpaServer;
  let backend: RunningBackend;
  let tokens: Record<Name, string>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    await writeFile(join(folder, 'policy.rego'), POLICY);
    opa = await startOpa({
      binary: requireOpa(),
      policies: [join(folder, 'policy.rego')],
      args: ['--log-level', 'error'],
    });
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          opa: {
            type: 'opa',
            baseUrl: opa.url,
            entrypoint: 'sharing/decision',
            concurrency: 4,
            queue: 4000,
          },
          narrow: {
            type: 'opa',
            baseUrl: opa.url,
            entrypoint: 'sharing/decision',
            concurrency: 1,
            queue: 0,
          },
        },
        routes: [
          { prefix: 'asked', sources: ['opa'] },
          { prefix: 'narrow', sources: ['narrow'] },
        ],
      },
    });
    tokens = await signInAll(backend);
  });
  afterAll(async () => {
    await backend.stop();
    await opa.stop();
  });
  beforeEach(() => {
    backend.traces.length = 0;
  });

  const ask = (name: Name, ...questions: Question[]): Promise<Authorized> =>
    authorize(backend.url, tokens[name], questions);

  const sharings = (): number =>
    backend.traces.filter(({ sources }) => sources[0]?.shared).length;

  /** How many questions OPA has answered. */
  const answeredByOpa = async (): Promise<number> => {
    const metrics = await (await fetch(`${opa.url}/metrics`)).text();
    const pattern =
      /^http_request_duration_seconds_count\{code="200",handler="v1\/data",method="post"\} (\d+)$/m;
    return Number(pattern.exec(metrics)?.[1] ?? 0);
  };

  it('each get the answer to their own question', async () => {
    const asked: Array<[Name, Name]> = Array.from({ length: 300 }, (_, index) => [
      PEOPLE[index % 3]!,
      PEOPLE[Math.floor(index / 3) % 3]!,
    ]);
    const answers = await Promise.all(
      asked.map(([who, whose]) => ask(who, readOf(whose))),
    );
    expect(answers).toEqual(
      asked.map(([who, whose]) => ({
        status: 200,
        results: [who === whose ? 'ALLOW' : 'DENY'],
      })),
    );
    expect(sharings()).toBeGreaterThan(0);
  });

  it('each get their own answers in batches of mixed questions', async () => {
    const questions = Array.from({ length: 60 }, (_, index) => PEOPLE[index % 3]!);
    const asked = Array.from({ length: 60 }, (_, index) => PEOPLE[index % 3]!);
    const answers = await Promise.all(
      asked.map(who => ask(who, ...questions.map(readOf))),
    );
    expect(answers).toEqual(
      asked.map(who => ({
        status: 200,
        results: questions.map(whose => (who === whose ? 'ALLOW' : 'DENY')),
      })),
    );
    expect(sharings()).toBeGreaterThan(1000);
    for (const { user, result, permission } of backend.traces) {
      const whose = permission!.name.replace('asked.', 'user:default/');
      expect(result).toBe(user === whose ? 'ALLOW' : 'DENY');
    }
  });

  it('do not affect others by sending a false action or resource type', async () => {
    const lies: Question[] = [
      basic('asked.olivia', 'update'),
      basic('asked.olivia'),
      {
        permission: {
          type: 'resource',
          name: 'asked.olivia',
          attributes: { action: 'read' },
          resourceType: 'secret',
        },
        resourceRef: 'any',
      },
    ];
    const truth = readOf('olivia');
    const batch = Array.from({ length: 20 }, () => [...lies, truth]).flat();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        ask(index % 2 === 0 ? 'olivia' : 'nolan', ...batch),
      ),
    );
    answers.forEach(({ status, results }, index) => {
      expect(status).toBe(200);
      const own = index % 2 === 0 ? 'ALLOW' : 'DENY';
      expect(results).toEqual(
        batch.map(question => (question === truth ? own : 'DENY')),
      );
    });
  });

  it('share requests to OPA in a batch of 300 identical items, none of which is turned away', async () => {
    const before = await answeredByOpa();
    const question = basic('narrow.olivia', 'read');
    const narrow = await ask('olivia', ...Array<Question>(300).fill(question));
    expect(narrow).toEqual({
      status: 200,
      results: Array<string>(300).fill('ALLOW'),
    });
    // One, unless a busy machine has OPA answer while the batch is still taking its turns.
    const requests = (await answeredByOpa()) - before;
    expect(requests).toBeLessThanOrEqual(5);
    // The records follow the answers.
    await until(() => sharings() === 300 - requests, 'all others shared an answer');
  });
});

describe('a client that disconnects', () => {
  const OTHERS = 20;
  let stub: StubServer;
  let backend: RunningBackend;
  let tokens: Record<Name, string>;

  beforeAll(async () => {
    stub = await startStub(() => {});
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          opa: {
            type: 'opa',
            baseUrl: stub.url,
            entrypoint: 'a/b',
            concurrency: 64,
          },
        },
        routes: [{ prefix: 'tested', sources: ['opa'] }],
      },
    });
    tokens = await signInAll(backend);
  });
  afterAll(async () => {
    await backend.stop();
    await stub.stop();
  });

  it('does not deprive others who asked the same of their answer', async () => {
    /** The names that arrive at OPA in order, and the answers it holds back. */
    const arrived: string[] = [];
    const held: Array<() => void> = [];
    stub.become((socket, request) => {
      const [, body] = request.split('\r\n\r\n');
      const { input } = JSON.parse(body!) as {
        input: { permission: { name: string } };
      };
      arrived.push(input.permission.name);
      held.push(() => decision({ result: 'ALLOW' })(socket, request));
    });
    const same = basic('tested.same', 'read');

    const leaving = new AbortController();
    const first = fetch(`${backend.url}/api/permission/authorize`, {
      method: 'POST',
      signal: leaving.signal,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${tokens.olivia}`,
      },
      body: JSON.stringify({ items: [{ id: '0', ...same }] }),
    });
    await until(() => arrived.length === 1, 'the first question arrived');
    // The items of a batch are asked together, so once the second arrived the first was asked too.
    const others = Array.from({ length: OTHERS }, (_, index) =>
      authorize(backend.url, tokens.olivia, [
        same,
        basic(`tested.own${index}`, 'read'),
      ]),
    );
    await until(() => arrived.length === 1 + OTHERS, 'all the other questions arrived');
    leaving.abort();
    await expect(first).rejects.toThrow(/abort/i);
    for (const release of held) release();

    expect(await Promise.all(others)).toEqual(
      others.map(() => ({ status: 200, results: ['ALLOW', 'ALLOW'] })),
    );
    expect(arrived.filter(name => name === 'tested.same')).toHaveLength(1);
  });
});
