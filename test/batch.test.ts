import { setImmediate as turn } from 'node:timers/promises';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { Batch } from '../src/batch';
import { Deadline } from '../src/lib/deadline';
import { Turns } from '../src/lib/turns';
import type { DecisionRecord } from '../src/trace/record';
import { permission } from './fixtures/builders';
import { resumeClock, stopClock } from './support/clock';
import { startRouter, type TestRouter } from './support/router';

const info = { userEntityRef: 'user:default/dana', ownershipEntityRefs: ['a', 'b'] };
const known = { credentials: {}, info } as unknown as PolicyQueryUser;
const unknown = { credentials: {} } as unknown as PolicyQueryUser;
const deadline = new Deadline(600_000);

let asked = 0;
beforeEach(() => {
  asked = 0;
});
const userInfo = {
  getUserInfo: async () => {
    asked++;
    return info;
  },
};

it('identifies a user once', async () => {
  const batch = new Batch();
  const first = batch.identify(known, userInfo, deadline);
  expect(first).toEqual(info);
  expect(batch.identify(known, userInfo, deadline)).toBe(first);
  const [one, other] = await Promise.all([
    batch.identify(unknown, userInfo, deadline),
    batch.identify(unknown, userInfo, deadline),
  ]);
  expect(one).toBe(other);
  expect(asked).toBe(1);
});

it('keeps users apart, also those that look the same', () => {
  const batch = new Batch();
  const [one, other] = [known, { ...known }].map(user =>
    batch.identify(user, userInfo, deadline),
  );
  expect(one).not.toBe(other);
});

it('identifies what is not even an object each time', () => {
  const batch = new Batch();
  const user = true as unknown as PolicyQueryUser;
  const [one, other] = [1, 2].map(() => batch.identify(user, userInfo, deadline));
  expect(one).not.toBe(other);
});

it('has a principal of its own for requests without a user', () => {
  const principals = [new Batch(), new Batch()].map(batch =>
    batch.identify(undefined, userInfo, deadline),
  );
  expect(principals).toEqual([
    { ownershipEntityRefs: [] },
    { ownershipEntityRefs: [] },
  ]);
  expect(principals[0]).not.toBe(principals[1]);
});

it('fails for each decision if the user cannot be identified', async () => {
  const batch = new Batch();
  const failing = { getUserInfo: () => Promise.reject(new Error('down')) };
  for (let time = 0; time < 2; time++) {
    await expect(batch.identify(unknown, failing, deadline)).rejects.toThrow(
      'the identity of the user could not be obtained',
    );
  }
});

describe('many decisions at once', () => {
  const GROUPS = Array.from(
    { length: 500 },
    (_, index) => `group:default/team-${index}`,
  );
  const userOf = (name: string): PolicyQueryUser =>
    ({
      credentials: {},
      info: {
        userEntityRef: `user:default/${name}`,
        ownershipEntityRefs: [`user:default/${name}`, ...GROUPS],
      },
    }) as unknown as PolicyQueryUser;
  const entityRead = (name = 'catalog.entity.read') => ({
    permission: permission(name, { action: 'read', resourceType: 'catalog-entity' }),
  });

  let router: TestRouter;
  const records: Array<Readonly<DecisionRecord>> = [];
  beforeAll(async () => {
    router = await startRouter(
      {
        fallback: 'deny',
        deadline: '10m',
        sources: {
          embedded: {
            type: 'opa-wasm',
            bundle: 'config/bundle.tar.gz',
            entrypoint: 'backstage_policy/decision',
          },
          ownership: { type: 'ownership' },
        },
        routes: [
          { prefix: 'catalog', sources: ['embedded'] },
          { prefix: 'owned', sources: ['ownership'] },
        ],
      },
      { sinks: [record => records.push(record)] },
    );
  });
  afterAll(() => router.close());
  beforeEach(() => {
    records.length = 0;
  });

  /** Asks that many different questions at once; Rego denies them all. */
  const askMany = (count: number, user: PolicyQueryUser) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        router.decide(entityRead(`catalog.entity.read.q${index}`), user),
      ),
    );

  it('let the rest of the process run', async () => {
    let turns = 0;
    let deciding = true;
    const count = async (): Promise<void> => {
      for (; deciding; turns++) await turn();
    };
    const counted = count();
    const decisions = await askMany(1000, userOf('dana'));
    deciding = false;
    await counted;
    expect(new Set(decisions.map(({ result }) => result))).toEqual(new Set(['DENY']));
    expect(turns).toBeGreaterThan(3);
  });

  it('do not keep out a single one that comes later', async () => {
    let isDone = false;
    const many = askMany(2000, userOf('dana')).then(() => {
      isDone = true;
    });
    await turn();
    await router.decide(entityRead(), userOf('erin'));
    expect(isDone).toBe(false);
    await many;
  });

  it('ask the same question once, for each user and in each batch', async () => {
    const [dana, erin] = [userOf('dana'), userOf('erin')];
    const ask = (...users: PolicyQueryUser[]) =>
      Promise.all(users.map(user => router.decide(entityRead(), user)));
    await ask(dana, erin, dana, erin);
    await turn();
    await ask(dana);
    const exchanges = records.map(({ sources }) => sources[0]!.exchange);
    const inputs = new Map(exchanges.map(exchange => [exchange, exchange!.input]));
    expect(inputs.size).toBe(3);
    expect(
      [...inputs.values()].map(
        input => (input as { identity: { user: string } }).identity.user,
      ),
    ).toEqual(['user:default/dana', 'user:default/erin', 'user:default/dana']);
  });

  it('give every user their own conditions', async () => {
    const names = ['dana', 'erin', 'frank'];
    const users = names.map(userOf);
    const asked = Array.from({ length: 300 }, (_, index) => index % names.length);
    const decisions = await Promise.all(
      asked.map(index => router.decide(entityRead('owned.read'), users[index])),
    );
    decisions.forEach((decision, position) => {
      expect(decision).toMatchObject({
        conditions: {
          anyOf: [
            {
              params: {
                claims: [`user:default/${names[asked[position]!]}`, ...GROUPS],
              },
            },
          ],
        },
      });
    });
  });

  it('are about what was asked, even if the caller uses the query and the user again', async () => {
    const user = userOf('dana');
    const asked = entityRead('nothing.of.the.kind');
    const many = Array.from({ length: 1000 }, (_, index) => {
      asked.permission = permission(`catalog.entity.read.q${index}`);
      return router.decide(asked, user);
    });
    asked.permission = permission('owned.read');
    user.info.userEntityRef = 'user:default/erin';
    await Promise.all(many);
    const names = records.map(record => record.permission!.name);
    expect(new Set(names).size).toBe(1000);
    expect(names.filter(name => !name.startsWith('catalog.entity.read.q'))).toEqual([]);
    expect(new Set(records.map(record => record.user))).toEqual(
      new Set(['user:default/dana']),
    );
  });

  it('are denied if their deadline passes in the wait for a turn', async () => {
    stopClock();
    const run = jest
      .spyOn(Turns.prototype, 'run')
      .mockImplementation((_group, work) => {
        jest.advanceTimersByTime(600_000);
        return work(true);
      });
    try {
      expect(await router.decide(entityRead(), userOf('dana'))).toEqual({
        result: 'DENY',
      });
      expect(records).toMatchObject([
        {
          permission: { name: 'catalog.entity.read' },
          user: 'user:default/dana',
          sources: [],
          failure: { class: 'overloaded', code: 'NO_TURN' },
        },
      ]);
    } finally {
      run.mockRestore();
      resumeClock();
    }
  });
});
