/** The policies that other modules provide: each name once, and all of them before the start. */
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

/** The two ways to provide a policy, and what an error calls them. */
const WAYS: ReadonlyArray<
  [
    way: string,
    provide: (provided: ProvidedPolicies, name: string, given: unknown) => void,
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

it('are none at first', () => {
  const provided = new ProvidedPolicies();
  expect(provided.names).toEqual([]);
  expect(provided.unset).toEqual([]);
});

describe.each(WAYS)('a policy provided by %s', (way, provide, call) => {
  it('is found under its name, and is the same object', () => {
    const provided = new ProvidedPolicies();
    provide(provided, 'team', policy);
    expect(provided.names).toEqual(['team']);
    expect(provided.unset).toEqual([]);
    expect(provided.get('team').policy).toBe(policy);
  });

  it.each(['constructor', 'hasOwnProperty', 'te.am', 'Ünicode', 'x'.repeat(64)])(
    'may have the name %s',
    name => {
      const provided = new ProvidedPolicies();
      expect(() => provided.get(name)).toThrow('no module provides this policy');
      provide(provided, name, policy);
      expect(provided.names).toEqual([name]);
      expect(provided.get(name).policy).toBe(policy);
    },
  );

  it.each<[name: string, problem: string]>([
    ['allow', "the name 'allow' is reserved for the built-in source"],
    ['deny', "the name 'deny' is reserved for the built-in source"],
    [
      '__proto__',
      "the name '__proto__' cannot be used: Backstage drops this key from the config",
    ],
    ...['', 'te am', 'te\nam', 'x'.repeat(65)].map((name): [string, string] => [
      name,
      `the name ${JSON.stringify(name)} must have 1 to 64 characters, without white space or control characters`,
    ]),
  ])('may not have the name %j', (name, problem) => {
    const provided = new ProvidedPolicies();
    expect(() => provide(provided, name, policy)).toThrow(
      new Error(`${way}(${JSON.stringify(name)}, …): ${problem}`),
    );
    expect(provided.names).toEqual([]);
  });

  it(`${way === 'addSource' ? 'may' : 'may not'} abstain`, () => {
    const provided = new ProvidedPolicies();
    provide(provided, 'team', policy);
    expect(provided.mayAbstain('team')).toBe(way === 'addSource');
    expect(provided.get('team').mayAbstain).toBe(way === 'addSource');
  });

  it.each(WAYS)('reserves its name, also against %s', (_other, again, other) => {
    const provided = new ProvidedPolicies();
    provide(provided, 'team', policy);
    expect(() => again(provided, 'team', new Team())).toThrow(
      new Error(
        `${other}: a policy with this name was already provided; each name takes one policy, set once`,
      ),
    );
    expect(provided.names).toEqual(['team']);
    expect(provided.get('team').policy).toBe(policy);
    expect(provided.mayAbstain('team')).toBe(way === 'addSource');
  });

  it('is refused a second time even if it is the same', () => {
    const provided = new ProvidedPolicies();
    provide(provided, 'team', policy);
    expect(() => provide(provided, 'team', policy)).toThrow(/was already provided/);
  });

  it('is refused once the router has started', () => {
    const provided = new ProvidedPolicies();
    provided.close();
    expect(() => provide(provided, 'team', policy)).toThrow(
      new Error(
        `${call} provided its policy too late: the policy router has already started. Provide it during the module's init()`,
      ),
    );
    expect(provided.names).toEqual([]);
  });

  it.each<[what: string, given: unknown, slip?: string]>([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'policy'],
    ['an object without it', {}],
    ['an object whose handle is not a function', { handle: { result: 'ALLOW' } }],
    ['a class', Team, '; it is a class, so pass an instance of it'],
    ['a class of something else', Map],
    ['a function', async () => ({ result: 'ALLOW' })],
    [
      'a promise of a policy',
      Promise.resolve(policy),
      '; it is a promise, so await it first',
    ],
  ])('must have a handle method: %s is refused', (_what, given, slip = '') => {
    const provided = new ProvidedPolicies();
    expect(() => provide(provided, 'team', given)).toThrow(
      new Error(
        `${call}: the policy must be an object with a method handle(request, user)${slip}`,
      ),
    );
    expect(provided.names).toEqual([]);
    // The name is still free.
    provide(provided, 'team', policy);
    expect(provided.names).toEqual(['team']);
  });

  it('may inherit its handle method', () => {
    for (const given of [new (class extends Team {})(), Object.create(policy)]) {
      const provided = new ProvidedPolicies();
      provide(provided, 'team', given);
      expect(provided.get('team').policy).toBe(given);
    }
  });
});

it('are listed in the order in which they were provided', () => {
  const provided = new ProvidedPolicies();
  provided.host('c').setPolicy(policy);
  provided.addSource('a', source);
  provided.host('b').setPolicy(policy);
  expect(provided.names).toEqual(['c', 'a', 'b']);
});

it('have errors of one short line, whatever the name', () => {
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
      'hostPolicy("team", …) provided its policy too late: the policy router has already started',
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
    expect(() => provided.get('team')).toThrow('no module provides this policy');
    const other = new Team();
    provided.host('team').setPolicy(other);
    expect(provided.get('team').policy).toBe(other);
  });

  it('takes back nothing that another has set', () => {
    const provided = new ProvidedPolicies();
    const [first, second] = [provided.host('team'), provided.host('team')];
    first.setPolicy(policy);
    expect(() => second.setPolicy(new Team())).toThrow(/was already provided/);
    second.withdraw();
    provided.host('other').withdraw();
    expect(provided.get('team').policy).toBe(policy);
    expect(provided.unset).toEqual(['other']);
  });
});

it('a policy that was not provided may abstain, as far as anybody knows', () => {
  expect(new ProvidedPolicies().mayAbstain('team')).toBe(true);
});
