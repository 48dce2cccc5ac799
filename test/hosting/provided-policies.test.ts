/** The policies that other modules bring: each name once, and all of them before the start. */
import {
  AuthorizeResult,
  type PolicyDecision,
} from '@backstage/plugin-permission-common';
import type { PermissionPolicy } from '@backstage/plugin-permission-node';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
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
    bring: (provided: ProvidedPolicies, name: string, given: unknown) => void,
    call: string,
  ]
> = [
  [
    'addSource',
    (provided, name, given) => provided.addSource(name, given as PolicySource),
    'addSource("team", …)',
  ],
  [
    'hostPolicy',
    (provided, name, given) => provided.host(name).setPolicy(given as PermissionPolicy),
    'hostPolicy("team", …)',
  ],
];

it('begin with none', () => {
  const provided = new ProvidedPolicies();
  expect(provided.names).toEqual([]);
  expect(provided.unset).toEqual([]);
});

describe.each(WAYS)('a policy provided by %s', (way, bring, call) => {
  it('is there under its name, the very same object', () => {
    const provided = new ProvidedPolicies();
    bring(provided, 'team', policy);
    expect(provided.names).toEqual(['team']);
    expect(provided.unset).toEqual([]);
    expect(provided.get('team').policy).toBe(policy);
  });

  it.each(['constructor', 'hasOwnProperty', 'te.am', 'Ünicode', 'x'.repeat(64)])(
    'may have the name %s',
    name => {
      const provided = new ProvidedPolicies();
      expect(() => provided.get(name)).toThrow('no module brings this policy');
      bring(provided, name, policy);
      expect(provided.names).toEqual([name]);
      expect(provided.get(name).policy).toBe(policy);
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
    const provided = new ProvidedPolicies();
    expect(() => bring(provided, name, policy)).toThrow(
      new Error(`${way}(${JSON.stringify(name)}, …): ${problem}`),
    );
    expect(provided.names).toEqual([]);
  });

  it(`${way === 'addSource' ? 'may' : 'may not'} abstain`, () => {
    const provided = new ProvidedPolicies();
    bring(provided, 'team', policy);
    expect(provided.mayAbstain('team')).toBe(way === 'addSource');
    expect(provided.get('team').mayAbstain).toBe(way === 'addSource');
  });

  it.each(WAYS)('leaves no room for one by %s of its name', (_other, again, other) => {
    const provided = new ProvidedPolicies();
    bring(provided, 'team', policy);
    expect(() => again(provided, 'team', new Team())).toThrow(
      new Error(
        `${other}: a policy of this name is there already; each name is for one policy, set once`,
      ),
    );
    expect(provided.names).toEqual(['team']);
    expect(provided.get('team').policy).toBe(policy);
    expect(provided.mayAbstain('team')).toBe(way === 'addSource');
  });

  it('is refused a second time even if it is the same', () => {
    const provided = new ProvidedPolicies();
    bring(provided, 'team', policy);
    expect(() => bring(provided, 'team', policy)).toThrow(/is there already/);
  });

  it('comes too late once the router has started', () => {
    const provided = new ProvidedPolicies();
    provided.close();
    expect(() => bring(provided, 'team', policy)).toThrow(
      new Error(
        `${call} comes too late: the policy router has started. Set it in the module's init`,
      ),
    );
    expect(provided.names).toEqual([]);
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
    const provided = new ProvidedPolicies();
    expect(() => bring(provided, 'team', given)).toThrow(
      new Error(`${call}: a policy must have a method handle(request, user)`),
    );
    expect(provided.names).toEqual([]);
    // The name is still free.
    bring(provided, 'team', policy);
    expect(provided.names).toEqual(['team']);
  });

  it('may have inherited its handle', () => {
    for (const given of [new (class extends Team {})(), Object.create(policy)]) {
      const provided = new ProvidedPolicies();
      bring(provided, 'team', given);
      expect(provided.get('team').policy).toBe(given);
    }
  });
});

it('are named in the order they came', () => {
  const provided = new ProvidedPolicies();
  provided.host('c').setPolicy(policy);
  provided.addSource('a', source);
  provided.host('b').setPolicy(policy);
  expect(provided.names).toEqual(['c', 'a', 'b']);
});

it('name a mistaken source in one short line', () => {
  const name = `te\nam\u202e${'x'.repeat(1000)}`;
  const provided = new ProvidedPolicies();
  const call = new RegExp(`^\\w+\\("te\\\\nam\\\\u202ex{94}…", …\\)`);
  expect(() => provided.addSource(name, {} as PolicySource)).toThrow(call);
  expect(() => provided.host(name).setPolicy({} as never)).toThrow(call);
});

describe('a module that is hosted', () => {
  it('is unset until it sets its policy', () => {
    const provided = new ProvidedPolicies();
    const point = provided.host('team');
    provided.addSource('other', source);
    expect(provided.unset).toEqual(['team']);
    expect(provided.names).toEqual(['other']);
    point.setPolicy(policy);
    expect(provided.unset).toEqual([]);
  });

  it('is unset once, however many modules share the name', () => {
    const provided = new ProvidedPolicies();
    provided.host('team');
    const point = provided.host('team');
    expect(provided.unset).toEqual(['team']);
    point.setPolicy(policy);
    expect(provided.unset).toEqual([]);
  });

  it('stays unset if what it sets is refused', () => {
    const provided = new ProvidedPolicies();
    expect(() => provided.host('team').setPolicy({} as never)).toThrow();
    expect(provided.unset).toEqual(['team']);
  });

  it('cannot set its policy when the router has started, and stays unset', () => {
    const provided = new ProvidedPolicies();
    const point = provided.host('team');
    provided.close();
    expect(() => point.setPolicy(policy)).toThrow(
      'hostPolicy("team", …) comes too late: the policy router has started',
    );
    expect(provided.unset).toEqual(['team']);
  });
});

describe('a module that withdraws', () => {
  it('takes back what it has set, and the name is free', () => {
    const provided = new ProvidedPolicies();
    const hosting = provided.host('team');
    hosting.setPolicy(policy);
    hosting.withdraw();
    expect(provided.names).toEqual([]);
    expect(provided.unset).toEqual(['team']);
    expect(() => provided.get('team')).toThrow('no module brings this policy');
    const other = new Team();
    provided.host('team').setPolicy(other);
    expect(provided.get('team').policy).toBe(other);
  });

  it('takes back nothing that another has set', () => {
    const provided = new ProvidedPolicies();
    const [first, second] = [provided.host('team'), provided.host('team')];
    first.setPolicy(policy);
    expect(() => second.setPolicy(new Team())).toThrow(/is there already/);
    second.withdraw();
    provided.host('other').withdraw();
    expect(provided.get('team').policy).toBe(policy);
    expect(provided.unset).toEqual(['other']);
  });
});

it('may abstain for all that is known of a policy that is not there', () => {
  expect(new ProvidedPolicies().mayAbstain('team')).toBe(true);
});
