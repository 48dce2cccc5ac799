import fc from 'fast-check';
import { readConfig, type ReadConfig } from '../../src/config/read';
import { CONFIG_PATH, ConfigError, type RouterConfig } from '../../src/config/types';
import { canonical } from '../../src/lib/canonical';
import { tlsFixture } from '../support/tls-fixture';

const SECRET = 'hunter2-hunter2';
const CERT = tlsFixture('client.pem');
const KEY = tlsFixture('client.key');
/** A line of the key itself. */
const KEY_LINE = KEY.split('\n')[1]!;

const valid = () => ({
  fallback: 'deny',
  anonymous: 'deny',
  onUnavailable: 'fail-closed',
  deadline: '2s',
  sources: {
    opa: {
      type: 'opa',
      baseUrl: 'https://opa.example.com',
      entrypoint: 'backstage_policy/decision',
      timeout: '500ms',
      concurrency: 64,
      circuitBreaker: { rollingWindow: '10s', resetTimeout: '10s' },
      auth: { token: SECRET },
      tls: { cert: CERT, key: KEY },
    },
    ownership: {
      type: 'ownership',
      bypass: ['group:default/platform'],
      kinds: ['Component'],
    },
  },
  routes: [
    { prefix: 'catalog', actions: ['read'], sources: ['opa', 'ownership'] },
    { prefix: '', sources: ['deny'], combine: 'first-applicable' },
  ],
});

type Path = ReadonlyArray<string | number>;

/** The paths of all values, including the whole config. */
const pathsOf = (value: unknown, path: Path = []): Path[] =>
  typeof value === 'object' && value !== null
    ? [
        path,
        ...Object.entries(value).flatMap(([key, child]) =>
          pathsOf(child, [...path, Array.isArray(value) ? Number(key) : key]),
        ),
      ]
    : [path];

function replace(value: unknown, [key, ...rest]: Path, replacement: unknown): unknown {
  if (key === undefined) return replacement;
  const copy = Array.isArray(value)
    ? [...(value as unknown[])]
    : { ...(value as object) };
  const slots = copy as Record<string | number, unknown>;
  slots[key] = replace(slots[key], rest, replacement);
  return copy;
}

const anyValue = fc.oneof(
  fc.anything({
    withNullPrototype: true,
    withDate: true,
    withMap: true,
    withSet: true,
  }),
  fc.jsonValue(),
  fc.constantFrom(undefined, null, '', 0, [], {}, 'allow', 'fail-open', '__proto__'),
);

const anyMutation = fc
  .tuple(fc.constantFrom(...pathsOf(valid())), anyValue)
  .map(([path, value]) => replace(valid(), path, value));

/** The error of reading the config; undefined if it is valid. */
const errorOf = (raw: unknown): Promise<unknown> =>
  readConfig(raw).then(
    () => undefined,
    (error: unknown) => error,
  );

/** All parts of an error that could reach a log. */
const textOf = (error: ConfigError): string =>
  JSON.stringify([error.message, error.stack, error.problems]);

it('the unchanged config is valid', async () => {
  expect(await errorOf(valid())).toBeUndefined();
});

describe('reading a config', () => {
  it('fails only with paths and messages for any input', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyMutation, anyValue), async raw => {
        const error = await errorOf(raw);
        if (error === undefined) return;
        expect(error).toBeInstanceOf(ConfigError);
        const { problems } = error as ConfigError;
        expect(problems.length).toBeGreaterThan(0);
        for (const { path, message } of problems) {
          expect(path).toMatch(new RegExp(`^${CONFIG_PATH}(\\.|\\[|$)`));
          expect(message).not.toBe('');
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('prints no secret no matter what else is wrong', async () => {
    await fc.assert(
      fc.asyncProperty(anyMutation, async raw => {
        const error = await errorOf(raw);
        if (!(error instanceof ConfigError)) return;
        expect(textOf(error)).not.toContain(SECRET);
        expect(textOf(error)).not.toContain(KEY_LINE);
      }),
      { numRuns: 500 },
    );
  });

  it('prints no secret no matter how it is wrapped', async () => {
    const secretPaths: Path[] = [
      ['sources', 'opa', 'auth', 'token'],
      ['sources', 'opa', 'auth'],
      ['sources', 'opa', 'tls', 'key'],
      ['sources', 'opa', 'tls', 'cert'],
      ['sources', 'opa', 'tls'],
    ];
    const { wrapped } = fc.letrec<{ wrapped: unknown }>(tie => ({
      wrapped: fc.oneof(
        { maxDepth: 3 },
        fc.constant(SECRET),
        tie('wrapped').map(value => [value]),
        fc
          .tuple(fc.constantFrom('token', 'key', 'ca', 'value'), tie('wrapped'))
          .map(([key, value]) => ({ [key]: value })),
        fc.string().map(text => `${text}${SECRET}`),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...secretPaths),
        wrapped,
        async (path, value) => {
          const error = await errorOf(replace(valid(), path, value));
          if (error instanceof ConfigError) expect(textOf(error)).not.toContain(SECRET);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('rejects unknown keys anywhere', async () => {
    const objects = pathsOf(valid()).filter(path => {
      const value = path.reduce<unknown>(
        (at, key) => (at as Record<string | number, unknown>)[key],
        valid(),
      );
      const named = path.length === 1 && path[0] === 'sources';
      return typeof value === 'object' && !Array.isArray(value) && !named;
    });
    const unknownKey = fc.string({ minLength: 1 }).map(key => `x-${key}`);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...objects),
        unknownKey,
        anyValue,
        async (path, key, value) => {
          const error = await errorOf(replace(valid(), [...path, key], value));
          expect((error as ConfigError).message).toContain(
            ['auth', 'tls'].includes(String(path.at(-1)))
              ? 'unknown key; allowed: '
              : `unknown key '${key}'; allowed: `,
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it('does not change the prototypes of objects', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...pathsOf(valid())),
        fc.jsonValue(),
        async (path, value) => {
          const odd: unknown = JSON.parse(
            `{ "__proto__": { "polluted": ${JSON.stringify(value)} } }`,
          );
          await errorOf(replace(valid(), path, odd));
          expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
          expect(({} as Record<string, unknown>).polluted).toBeUndefined();
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('the digest of a config', () => {
  /** Reads with every object's keys, and the routes, in an order that the seed decides. */
  const shuffled = (value: unknown, order: () => number, key?: string): unknown => {
    if (Array.isArray(value)) {
      const items = value.map(item => shuffled(item, order));
      return key === 'routes' ? inOrder(items, order) : items;
    }
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(
      ([name, inner]) => [name, shuffled(inner, order, name)] as const,
    );
    return Object.fromEntries(inOrder(entries, order));
  };
  const inOrder = <T>(items: readonly T[], order: () => number): T[] =>
    items
      .map(item => ({ item, place: order() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);

  /** What the digest is made of, as text that differs where a decision may. */
  const decidingText = ({ routes, sources, ...settings }: RouterConfig): string => {
    const text = (value: unknown): string =>
      canonical(value).replace(/"token":"[^"]*"/, '');
    const ofRoutes = routes.map(({ label: _, actions, resourceTypes, ...route }) =>
      text({
        ...route,
        actions: actions?.toSorted(),
        types: resourceTypes?.toSorted(),
      }),
    );
    const ofSources = [...sources].map(text);
    return [text(settings), ...ofRoutes.sort(), ...ofSources.sort()].join('\n');
  };

  const OPA: Path = ['sources', 'opa'];
  const OWNERSHIP: Path = ['sources', 'ownership'];
  const CATALOG: Path = ['routes', 0];
  const CHANGES: Array<[path: Path, ...values: unknown[]]> = [
    [['fallback'], 'deny', 'allow'],
    [['anonymous'], 'deny', 'evaluate'],
    [['onUnavailable'], 'fail-closed', 'fail-open', undefined],
    [['deadline'], '2s', { seconds: 2 }, '3s'],
    [['maxConditionBytes'], undefined, 65_536, 1000],
    [[...OPA, 'baseUrl'], 'https://opa.example.com', 'https://opa-2.example.com'],
    [[...OPA, 'timeout'], '500ms', undefined, '100ms'],
    [[...OPA, 'circuitBreaker', 'resetTimeout'], '10s', '20s'],
    [[...OPA, 'auth', 'token'], SECRET, 'another-token'],
    [[...OPA, 'standby'], undefined, 'ownership'],
    [[...OWNERSHIP, 'bypass'], ['group:default/platform'], undefined],
    [[...OWNERSHIP, 'kinds'], ['Component'], ['component'], ['API']],
    [[...CATALOG, 'prefix'], 'catalog', 'catalog.*', 'scaffolder'],
    [[...CATALOG, 'actions'], ['read'], ['read', 'none'], ['none', 'read'], undefined],
    [[...CATALOG, 'resourceTypes'], undefined, ['a', 'b'], ['b', 'a'], ['a']],
    [[...CATALOG, 'sources'], ['opa', 'ownership'], ['ownership', 'opa'], ['opa']],
    [[...CATALOG, 'combine'], undefined, 'deny-overrides', 'first-applicable'],
    [[...CATALOG, 'onUnavailable'], undefined, 'fail-closed', 'fail-open'],
    [[...CATALOG, 'default'], undefined, 'deny', 'allow'],
  ];
  const original = replace(valid(), [...OPA, 'tls'], undefined);
  const readable = fc
    .array(
      fc
        .constantFrom(...CHANGES)
        .chain(([path, ...values]) =>
          fc.constantFrom(...values).map(value => ({ path, value })),
        ),
      { maxLength: 3 },
    )
    .map(changes =>
      changes.reduce((raw, { path, value }) => replace(raw, path, value), original),
    );
  const read = (raw: unknown): Promise<ReadConfig | undefined> =>
    readConfig(raw).catch(() => undefined);

  it('does not depend on the order of keys and routes', async () => {
    await fc.assert(
      fc.asyncProperty(readable, fc.infiniteStream(fc.nat()), async (raw, places) => {
        const one = await read(raw);
        fc.pre(one !== undefined);
        const other = await read(shuffled(raw, () => Number(places.next().value)));
        expect(other?.digest).toBe(one.digest);
      }),
      { numRuns: 300 },
    );
  });

  it('differs exactly where what decides differs', async () => {
    const before = await readConfig(original);
    let different = 0;
    await fc.assert(
      fc.asyncProperty(readable, async raw => {
        const after = await read(raw);
        fc.pre(after !== undefined);
        const isSame = decidingText(after.config) === decidingText(before.config);
        if (!isSame) different++;
        expect(after.digest === before.digest).toBe(isSame);
      }),
      { numRuns: 300 },
    );
    expect(different).toBeGreaterThan(100);
  });
});
