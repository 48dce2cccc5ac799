/** What a hosted policy is shown, and what becomes of what it throws. */
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import {
  readPermission,
  readPrincipal,
  type PermissionRequest,
} from '../../../src/request';
import type { PolicySource } from '../../../src/sources/hosted/policy-source';
import { HostedSource } from '../../../src/sources/hosted/source';
import { Cancellation } from '../../../src/sources/source';
import { permission } from '../../fixtures/builders';
import { CapturedLogs } from '../../support/captured-logs';
import {
  ask,
  onEntity,
  REFS,
  requestOf,
  unreadable,
  userOf,
  wordsOf,
  type Handle,
} from '../../support/hosted-policy';

/** What a policy is shown of a request. */
async function shown(request: PermissionRequest) {
  let seen: [query: PolicyQuery, user: PolicyQueryUser | undefined] | undefined;
  await ask((query, user) => {
    seen = [query, user];
    return { result: 'DENY' };
  }, request);
  const [query, user] = seen!;
  return { query, user };
}

describe('a hosted policy is shown', () => {
  it('what Backstage would show it', async () => {
    const user = userOf();
    const { query, user: own } = await shown(requestOf(user));
    expect(query).toEqual({ permission: onEntity });
    expect(own).toEqual(user);
  });

  it('a basic permission without a resource type', async () => {
    const basic = permission('catalog.entity.create', { action: 'create' });
    const request = {
      ...requestOf(),
      permission: readPermission({ permission: basic }),
    };
    expect((await shown(request)).query).toEqual({ permission: basic });
  });

  it('the very credentials, with the token that a copy would lose', async () => {
    const user = userOf();
    const { user: own } = await shown(requestOf(user));
    expect(own!.credentials).toBe(user.credentials);
    expect((own!.credentials as unknown as { token: string }).token).toBe('a-token');
  });

  it('no user where there is none', async () => {
    expect((await shown(requestOf())).user).toBeUndefined();
  });

  it('the info that the router has found, where the host gives none', async () => {
    const { credentials } = userOf();
    const request: PermissionRequest = {
      ...requestOf(),
      user: { credentials } as PolicyQueryUser,
      principal: readPrincipal({
        userEntityRef: 'user:default/olivia',
        ownershipEntityRefs: REFS,
      }),
    };
    expect((await shown(request)).user).toEqual({
      credentials,
      info: { userEntityRef: 'user:default/olivia', ownershipEntityRefs: REFS },
    });
  });

  it('the info that the decision is made with, if the host has changed its own', async () => {
    const user = userOf();
    const request = requestOf(user);
    user.info.userEntityRef = 'user:default/other';
    user.info.ownershipEntityRefs.push('group:default/platform');
    expect((await shown(request)).user!.info).toEqual({
      userEntityRef: 'user:default/olivia',
      ownershipEntityRefs: REFS,
    });
  });

  it('what a later host may add to the user and to the info', async () => {
    const info = { ...userOf().info, displayName: 'Olivia' };
    const { user } = await shown(requestOf(userOf({ info, token: 'older' })));
    expect(user).toMatchObject({ token: 'older', info: { displayName: 'Olivia' } });
  });

  it('nothing that is frozen', async () => {
    const { query, user } = await shown(requestOf(userOf()));
    const { permission: own } = query;
    const { info } = user!;
    for (const part of [
      query,
      own,
      own.attributes,
      user,
      info,
      info.ownershipEntityRefs,
    ]) {
      expect(Object.isExtensible(part)).toBe(true);
      expect(Object.isFrozen(part)).toBe(false);
    }
  });

  it('itself as `this`, so that a class may have state', async () => {
    class Team {
      readonly #said = 'ALLOW';
      async handle(): Promise<{ result: string }> {
        return { result: this.#said };
      }
    }
    const hosted = { policy: new Team() as unknown as PolicySource, mayAbstain: false };
    const source = new HostedSource('team', hosted, new CapturedLogs().logger());
    const answer = await source.prepare(requestOf()).put(new Cancellation());
    expect(answer.kind).toBe('ALLOW');
  });
});

describe('what a hosted policy changes', () => {
  it.each<[what: string, change: (query: PolicyQuery, user: PolicyQueryUser) => void]>([
    [
      'by reassigning the permission',
      query => (query.permission = permission('allowed.read')),
    ],
    [
      'by taking the permission away',
      query => Reflect.deleteProperty(query, 'permission'),
    ],
    ['in the name', query => (query.permission.name = 'allowed.read')],
    ['in the type', query => Object.assign(query.permission, { type: 'basic' })],
    [
      'in the resource type',
      query => Object.assign(query.permission, { resourceType: 'x' }),
    ],
    ['in the action', query => (query.permission.attributes.action = 'read')],
    [
      'by a further attribute',
      query => Object.assign(query.permission.attributes, { x: 1 }),
    ],
    ['by reassigning the attributes', query => (query.permission.attributes = {})],
    ['by a further key', query => Object.assign(query, { permissions: [] })],
    ['by reassigning the info', (_query, user) => Object.assign(user, { info: {} })],
    ['in the user', (_query, { info }) => (info.userEntityRef = 'user:default/root')],
    [
      'by a further ref',
      (_query, { info }) => info.ownershipEntityRefs.push('group:default/x'),
    ],
    [
      'in a ref',
      (_query, { info }) => (info.ownershipEntityRefs[0] = 'group:default/x'),
    ],
    [
      'by emptying the refs',
      (_query, { info }) => (info.ownershipEntityRefs.length = 0),
    ],
    ['by reassigning the refs', (_query, { info }) => (info.ownershipEntityRefs = [])],
    [
      'by reassigning the credentials',
      (_query, user) => Object.assign(user, { credentials: 0 }),
    ],
    [
      'by a further key of the user',
      (_query, user) => Object.assign(user, { token: 'mine' }),
    ],
  ])('%s reaches neither the request nor another source', async (_what, change) => {
    const user = userOf();
    const request = requestOf(user);
    const before = structuredClone({ ...request, user: undefined });
    const changed: boolean[] = [];
    await ask((query, own) => {
      const was = JSON.stringify([query, own]);
      change(query, own!);
      changed.push(JSON.stringify([query, own]) !== was);
      return { result: 'DENY' };
    }, request);
    expect(changed).toEqual([true]);
    expect({ ...request, user: undefined }).toEqual(before);
    expect(request.user).toBe(user);
    expect(user).toEqual(userOf());
    expect(await shown(request)).toEqual({ query: { permission: onEntity }, user });
  });
});

it('a hosted policy shares no question: two equal ones are put to it', async () => {
  const logger = new CapturedLogs().logger();
  const policy = { handle: jest.fn(async () => ({ result: 'DENY' })) };
  const hosted = { policy: policy as unknown as PolicySource, mayAbstain: false };
  const source = new HostedSource('team', hosted, logger);
  const request = requestOf(userOf());
  const prepared = [source.prepare(request), source.prepare(request)];
  expect(prepared.map(({ key }) => key)).toEqual([undefined, undefined]);
  expect(policy.handle).not.toHaveBeenCalled();
  await Promise.all(prepared.map(question => question.put(new Cancellation())));
  expect(policy.handle).toHaveBeenCalledTimes(2);
});

describe('a hosted policy that throws', () => {
  const bare = new Error('a secret');
  const coded = Object.assign(new Error('a secret'), { code: 'ECONNREFUSED' });
  const silent = new Proxy(bare, { get: unreadable, getPrototypeOf: unreadable });
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();

  const thrown: ReadonlyArray<[what: string, error: unknown, names: string]> = [
    ['an error', bare, 'Error'],
    ['an error of another class', new TypeError('a secret'), 'TypeError'],
    ['an error with a code', coded, 'ECONNREFUSED'],
    [
      'an error with a cause',
      new TypeError('a secret', { cause: coded }),
      'TypeError (ECONNREFUSED)',
    ],
    [
      'an error whose cause is not an error',
      new Error('a secret', { cause: 'a secret' }),
      'Error',
    ],
    [
      'an error with a name of many words',
      Object.assign(new Error('a secret'), { name: 'a secret' }),
      'object',
    ],
    [
      'an error of many lines',
      new Error('a secret\n    at a secret (a:1:1)\n'),
      'Error',
    ],
    ['text', 'a secret', 'string'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['an object', { message: 'a secret', status: 403 }, 'object'],
    ['a decision', { result: 'ALLOW' }, 'object'],
    ['a symbol', Symbol('a secret'), 'symbol'],
    ['a function', unreadable, 'unreadable'],
    ['a proxy that throws', silent, 'object'],
    ['a revoked proxy', revoked.proxy, 'object'],
  ];

  it.each(thrown)(
    '%s is invalid, and named without its text',
    async (_what, error, names) => {
      const ways: Handle[] = [
        () => {
          throw error;
        },
        async () => {
          throw error;
        },
      ];
      for (const handle of ways) {
        const { answer, logs } = await ask(handle);
        expect(wordsOf(answer)).toBe(`invalid THREW: the source threw ${names}`);
        // Where it comes from is for those who ask for details; what it says is for nobody.
        const [line, ...others] = logs.lines;
        expect(others).toEqual([]);
        expect(line).toEqual({
          level: 'debug',
          message: expect.any(String) as unknown,
          meta: {},
        });
        expect(line!.message.startsWith(`Source 'team' threw ${names} at `)).toBe(true);
        expect(line!.message).not.toContain('secret');
      }
    },
  );

  it('is logged with the place in one short line', async () => {
    const error = new Error('a secret');
    error.stack = `Error: a secret\n    at f\u202e (${'x'.repeat(1000)}:1:1)`;
    const { logs } = await ask(() => Promise.reject(error));
    const [{ message } = { message: '' }] = logs.lines;
    expect(message).toMatch(/^Source 'team' threw Error at f \(x+$/);
    expect(message.length).toBeLessThan(300);
  });

  it('is like one whose handle is missing', async () => {
    const { answer } = await ask(undefined as unknown as Handle);
    expect(wordsOf(answer)).toBe('invalid THREW: the source threw TypeError');
  });

  it('is like one whose user cannot be copied', async () => {
    const user = userOf();
    Object.defineProperty(user, 'token', { enumerable: true, get: unreadable });
    const { answer } = await ask(() => ({ result: 'ALLOW' }), requestOf(user));
    expect(wordsOf(answer)).toBe('invalid THREW: the source threw Error');
  });
});
