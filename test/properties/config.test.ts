import fc from 'fast-check';
import { readConfig } from '../../src/config/read';
import { CONFIG_PATH, ConfigError } from '../../src/config/types';
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
