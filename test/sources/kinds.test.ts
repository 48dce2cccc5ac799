import { BUILT_IN, isBuiltIn, KINDS, kindOf } from '../../src/sources/kinds';

const remoteByType = Object.fromEntries(
  [...KINDS, ...BUILT_IN].map(({ type, isRemote }) => [type, isRemote]),
);

it('a source must be waited for if another process or module decides', () => {
  expect(remoteByType).toEqual({
    opa: true,
    'opa-wasm': false,
    ownership: false,
    conditions: false,
    hosted: true,
    allow: false,
    deny: false,
  });
});

describe('a kind', () => {
  it('has a type of its own', () => {
    expect(Object.keys(remoteByType)).toHaveLength(KINDS.length + BUILT_IN.length);
  });

  it.each([...KINDS, ...BUILT_IN])('is found by its type: $type', kind => {
    expect(kindOf(kind.type)).toBe(kind);
  });

  it.each(['', 'OPA', 'opa ', 'constructor', '__proto__', undefined, null, 1, ['opa']])(
    'is not found by %j',
    type => {
      expect(kindOf(type)).toBeUndefined();
    },
  );

  it.each([...KINDS, ...BUILT_IN])('takes no other type: $type', ({ type, schema }) => {
    const [issue] = schema.safeParse({ type: `${type}s` }).error!.issues;
    expect(issue?.path).toEqual(['type']);
  });

  it.each(KINDS)('takes no unknown key: $type', ({ type, schema }) => {
    const { issues } = schema.safeParse({ type, misspelt: 1 }).error!;
    expect(issues).toContainEqual(
      expect.objectContaining({
        path: [],
        message: expect.stringMatching(
          /^unknown key 'misspelt'; allowed: type, /,
        ) as unknown,
      }),
    );
  });
});

it.each([
  ['allow', true],
  ['deny', true],
  ['opa', false],
  ['Allow', false],
  ['', false],
])('the name %j is that of a built-in source: %j', (name, expected) => {
  expect(isBuiltIn(name)).toBe(expected);
});
