/** The policies that other modules bring: each name once, and all of them before the start. */
import {
  AuthorizeResult,
  type PolicyDecision,
} from '@backstage/plugin-permission-common';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import { BroughtSources } from '../../src/hosting/brought-sources';
import type { PolicySource } from '../../src/sources/hosted/policy-source';

const source: PolicySource = { handle: async () => ({ result: 'NOT_APPLICABLE' }) };
class Team implements PermissionPolicy {
  async handle(): Promise<PolicyDecision> {
    return { result: AuthorizeResult.ALLOW };
  }
}
const policy = new Team();

/** The two ways to bring a policy, and what an error calls them. */
const WAYS: ReadonlyArray<
  [
    way: string,
    bring: (brought: BroughtSources, name: string, given: unknown) => void,
    call: string,
  ]
> = [
  [
    'addSource',
    (brought, name, given) => brought.addSource(name, given as PolicySource),
    'addSource("team", …)',
  ],
  [
    'hostPolicy',
    (brought, name, given) => brought.host(name).setPolicy(given as PermissionPolicy),
    'hostPolicy("team", …)',
  ],
];

it('begin with none', () => {
  const brought = new BroughtSources();
  expect(brought.names).toEqual([]);
  expect(brought.unset).toEqual([]);
});

describe.each(WAYS)('a policy brought by %s', (way, bring, call) => {
  it('is there under its name, the very same object', () => {
    const brought = new BroughtSources();
    bring(brought, 'team', policy);
    expect(brought.names).toEqual(['team']);
    expect(brought.unset).toEqual([]);
    expect(brought.get('team').policy).toBe(policy);
  });

  it.each(['constructor', 'hasOwnProperty', 'te.am', 'Ünicode', 'x'.repeat(64)])(
    'may have the name %s',
    name => {
      const brought = new BroughtSources();
      expect(() => brought.get(name)).toThrow('no module brings this policy');
      bring(brought, name, policy);
      expect(brought.names).toEqual([name]);
      expect(brought.get(name).policy).toBe(policy);
    },
  );

  it.each<[name: string, problem: string]>([
    ['allow', "the name 'allow' is taken by the built-in source"],
    ['deny', "the name 'deny' is taken by the built-in source"],
    ...['', 'te am', 'te\nam', '__proto__', 'x'.repeat(65)].map(
      (name): [string, string] => [
        name,
        `the name ${JSON.stringify(name)} must have 1 to 64 characters, without white space or control characters`,
      ],
    ),
  ])('may not have the name %j', (name, problem) => {
    const brought = new BroughtSources();
    expect(() => bring(brought, name, policy)).toThrow(
      new Error(`${way}(${JSON.stringify(name)}, …): ${problem}`),
    );
    expect(brought.names).toEqual([]);
  });

  it(`${way === 'addSource' ? 'may' : 'may not'} abstain`, () => {
    const brought = new BroughtSources();
    bring(brought, 'team', policy);
    expect(brought.mayAbstain('team')).toBe(way === 'addSource');
    expect(brought.get('team').mayAbstain).toBe(way === 'addSource');
  });

  it.each(WAYS)('leaves no room for one by %s of its name', (_other, again, other) => {
    const brought = new BroughtSources();
    bring(brought, 'team', policy);
    expect(() => again(brought, 'team', new Team())).toThrow(
      new Error(
        `${other}: a policy of this name is there already; each name is for one policy, set once`,
      ),
    );
    expect(brought.names).toEqual(['team']);
    expect(brought.get('team').policy).toBe(policy);
    expect(brought.mayAbstain('team')).toBe(way === 'addSource');
  });

  it('is refused a second time even if it is the same', () => {
    const brought = new BroughtSources();
    bring(brought, 'team', policy);
    expect(() => bring(brought, 'team', policy)).toThrow(/is there already/);
  });

  it('comes too late once the router has started', () => {
    const brought = new BroughtSources();
    brought.close();
    expect(() => bring(brought, 'team', policy)).toThrow(
      new Error(
        `${call} comes too late: the policy router has started. Set it in the module's init`,
      ),
    );
    expect(brought.names).toEqual([]);
  });

  it.each<[what: string, given: unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a text', 'policy'],
    ['an object without it', {}],
    ['one that is no function', { handle: { result: 'ALLOW' } }],
    ['a class, whose instances have it', Team],
    ['a function', async () => ({ result: 'ALLOW' })],
    ['a promise of a policy', Promise.resolve(policy)],
  ])('must have a handle: %s is refused', (_what, given) => {
    const brought = new BroughtSources();
    expect(() => bring(brought, 'team', given)).toThrow(
      new Error(`${call}: a policy must have a method handle(request, user)`),
    );
    expect(brought.names).toEqual([]);
    // The name is still free.
    bring(brought, 'team', policy);
    expect(brought.names).toEqual(['team']);
  });

  it('may have inherited its handle', () => {
    for (const given of [new (class extends Team {})(), Object.create(policy)]) {
      const brought = new BroughtSources();
      bring(brought, 'team', given);
      expect(brought.get('team').policy).toBe(given);
    }
  });
});

it('are named in the order they came', () => {
  const brought = new BroughtSources();
  brought.host('c').setPolicy(policy);
  brought.addSource('a', source);
  brought.host('b').setPolicy(policy);
  expect(brought.names).toEqual(['c', 'a', 'b']);
});

it('name a mistaken source in one short line', () => {
  const name = `te\nam\u202e${'x'.repeat(1000)}`;
  const brought = new BroughtSources();
  const call = new RegExp(`^\\w+\\("te\\\\nam\\\\u202ex{94}…", …\\)`);
  expect(() => brought.addSource(name, {} as PolicySource)).toThrow(call);
  expect(() => brought.host(name).setPolicy({} as never)).toThrow(call);
});

describe('a module that is hosted', () => {
  it('is unset until it sets its policy', () => {
    const brought = new BroughtSources();
    const point = brought.host('team');
    brought.addSource('other', source);
    expect(brought.unset).toEqual(['team']);
    expect(brought.names).toEqual(['other']);
    point.setPolicy(policy);
    expect(brought.unset).toEqual([]);
  });

  it('is unset once, however many modules share the name', () => {
    const brought = new BroughtSources();
    brought.host('team');
    const point = brought.host('team');
    expect(brought.unset).toEqual(['team']);
    point.setPolicy(policy);
    expect(brought.unset).toEqual([]);
  });

  it('stays unset if what it sets is refused', () => {
    const brought = new BroughtSources();
    expect(() => brought.host('team').setPolicy({} as never)).toThrow();
    expect(brought.unset).toEqual(['team']);
  });

  it('cannot set its policy when the router has started, and stays unset', () => {
    const brought = new BroughtSources();
    const point = brought.host('team');
    brought.close();
    expect(() => point.setPolicy(policy)).toThrow(
      'hostPolicy("team", …) comes too late: the policy router has started',
    );
    expect(brought.unset).toEqual(['team']);
  });
});

describe('a module that withdraws', () => {
  it('takes back what it has set, and the name is free', () => {
    const brought = new BroughtSources();
    const hosting = brought.host('team');
    hosting.setPolicy(policy);
    hosting.withdraw();
    expect(brought.names).toEqual([]);
    expect(brought.unset).toEqual(['team']);
    expect(() => brought.get('team')).toThrow('no module brings this policy');
    const other = new Team();
    brought.host('team').setPolicy(other);
    expect(brought.get('team').policy).toBe(other);
  });

  it('takes back nothing that another has set', () => {
    const brought = new BroughtSources();
    const [first, second] = [brought.host('team'), brought.host('team')];
    first.setPolicy(policy);
    expect(() => second.setPolicy(new Team())).toThrow(/is there already/);
    second.withdraw();
    brought.host('other').withdraw();
    expect(brought.get('team').policy).toBe(policy);
    expect(brought.unset).toEqual(['other']);
  });
});

it('may abstain for all that is known of a policy that is not there', () => {
  expect(new BroughtSources().mayAbstain('team')).toBe(true);
});
