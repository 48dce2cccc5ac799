import {
  longestWaits,
  standbyChain,
  standbyCircles,
  withStandbys,
} from '../../src/config/standby';
import type { SourceConfig } from '../../src/sources/kind';
import {
  configOf,
  EMBEDDED,
  hosted,
  HOSTED,
  OPA,
  opa,
  OWNERSHIP,
  problems,
  sourcesOf,
} from '../support/read-config';

/** With a route to the source `opa`. */
const config = (sources: object): object => configOf(sources, {}, { sources: ['opa'] });

/** The same sources, the last of the file first. */
const reversed = (sources: object): object =>
  Object.fromEntries(Object.entries(sources).reverse());

describe('a standby', () => {
  it.each<[what: string, sources: object, chain: string[]]>([
    ['missing', { opa: opa() }, ['opa']],
    ['embedded', { opa: opa('wasm'), wasm: EMBEDDED }, ['opa', 'wasm']],
    ['ownership', { opa: opa('own'), own: OWNERSHIP }, ['opa', 'own']],
    ['deny', { opa: opa('deny') }, ['opa', 'deny']],
    ['another OPA', { opa: opa('other'), other: opa() }, ['opa', 'other']],
    [
      'with a standby of its own',
      { opa: opa('b'), b: opa('c'), c: opa('deny') },
      ['opa', 'b', 'c', 'deny'],
    ],
    [
      'of two sources',
      { opa: opa('own'), b: opa('own'), own: OWNERSHIP },
      ['opa', 'own'],
    ],
    [
      'named like a member of objects',
      { opa: opa('constructor'), constructor: OWNERSHIP },
      ['opa', 'constructor'],
    ],
  ])('may be %s, in any order in the file', async (_what, sources, chain) => {
    for (const each of [sources, reversed(sources)]) {
      expect(await problems(config(each))).toEqual([]);
      expect(standbyChain('opa', await sourcesOf(config(each)))).toEqual(chain);
    }
  });

  it.each<[what: string, sources: object, ...problems: string[]]>([
    [
      'an unknown source',
      { opa: opa('embeded'), embedded: EMBEDDED },
      "~.sources.opa.standby: unknown source 'embeded'; allowed: 'deny', 'embedded'",
    ],
    [
      'only a member of objects',
      { opa: opa('toString') },
      "~.sources.opa.standby: unknown source 'toString'; allowed: 'deny'",
    ],
    [
      'allow',
      { opa: opa('allow'), own: OWNERSHIP },
      "~.sources.opa.standby: must not be 'allow': an outage or a flood would allow everything; allowed: 'deny', 'own'",
    ],
    [
      'itself',
      { opa: opa('opa') },
      "~.sources.opa.standby: leads back to 'opa' (opa → opa); a chain of standbys must end",
    ],
    [
      'a source whose standby it is',
      { opa: opa('b'), b: opa('opa') },
      "~.sources.opa.standby: leads back to 'opa' (opa → b → opa); a chain of standbys must end",
      "~.sources.b.standby: leads back to 'b' (b → opa → b); a chain of standbys must end",
    ],
    [
      'one of three in a circle',
      { opa: opa('b'), b: opa('c'), c: opa('opa') },
      "~.sources.opa.standby: leads back to 'opa' (opa → b → c → opa); a chain of standbys must end",
      "~.sources.b.standby: leads back to 'b' (b → c → opa → b); a chain of standbys must end",
      "~.sources.c.standby: leads back to 'c' (c → opa → b → c); a chain of standbys must end",
    ],
    [
      'an empty name',
      { opa: opa('') },
      '~.sources.opa.standby: must be the name of a source, not empty',
    ],
    [
      'a list',
      { opa: opa(undefined, { standby: ['own'] }), own: OWNERSHIP },
      '~.sources.opa.standby: must be the name of a source',
    ],
  ])(
    'must not be %s, in any order in the file',
    async (_what, sources, ...expected) => {
      expect(await problems(config(sources))).toEqual(expected);
      expect((await problems(config(reversed(sources)))).sort()).toEqual(
        [...expected].sort(),
      );
    },
  );

  it('that leads into a circle is reported where the circle is', async () => {
    expect(await problems(config({ opa: opa('b'), b: opa('c'), c: opa('b') }))).toEqual(
      [
        "~.sources.b.standby: leads back to 'b' (b → c → b); a chain of standbys must end",
        "~.sources.c.standby: leads back to 'c' (c → b → c); a chain of standbys must end",
      ],
    );
  });
});

describe('a standby together with hosted policies', () => {
  it.each<[what: string, sources: object, chain: string[]]>([
    [
      'a hosted policy for opa',
      { first: { ...OPA, standby: 'team' }, team: HOSTED },
      ['first', 'team'],
    ],
    [
      'opa for a hosted policy',
      { first: { ...HOSTED, standby: 'opa' }, opa: OPA },
      ['first', 'opa'],
    ],
    [
      'another hosted policy, which has deny',
      {
        first: { ...HOSTED, standby: 'team' },
        team: { ...HOSTED, timeout: '900ms', standby: 'deny' },
      },
      ['first', 'team', 'deny'],
    ],
    [
      'ownership',
      { first: { ...HOSTED, standby: 'own' }, own: OWNERSHIP },
      ['first', 'own'],
    ],
  ])('may be %s', async (_what, sources, chain) => {
    const names = Object.entries(sources)
      .filter(([, source]) => (source as { type: string }).type === 'hosted')
      .map(([name]) => name);
    const raw = configOf(sources, {}, { sources: ['first'] });
    expect(await problems(raw, { provided: hosted(...names) })).toEqual([]);
    expect(
      standbyChain('first', await sourcesOf(raw, { provided: hosted(...names) })),
    ).toEqual(chain);
  });

  const withStandby = (standby: string): object => ({ team: { ...HOSTED, standby } });
  it.each<[what: string, sources: object, ...problems: string[]]>([
    [
      'an unknown source',
      withStandby('unknown'),
      "~.sources.team.standby: unknown source 'unknown'; allowed: 'deny'",
    ],
    [
      'only a member of objects',
      withStandby('constructor'),
      "~.sources.team.standby: unknown source 'constructor'; allowed: 'deny'",
    ],
    [
      'allow',
      withStandby('allow'),
      "~.sources.team.standby: must not be 'allow': an outage or a flood would allow everything; allowed: 'deny'",
    ],
    [
      'itself',
      withStandby('team'),
      "~.sources.team.standby: leads back to 'team' (team → team); a chain of standbys must end",
    ],
    [
      'a source whose standby it is',
      { team: { ...HOSTED, standby: 'opa' }, opa: { ...OPA, standby: 'team' } },
      "~.sources.team.standby: leads back to 'team' (team → opa → team); a chain of standbys must end",
      "~.sources.opa.standby: leads back to 'opa' (opa → team → opa); a chain of standbys must end",
    ],
  ])('of a hosted policy must not be %s', async (_what, sources, ...expected) => {
    expect(await problems(configOf(sources), { provided: hosted('team') })).toEqual(
      expected,
    );
  });
});

describe('in a graph of standbys', () => {
  /** Each source with its standby, and with 1 ms of its own. */
  const sourcesWith = (
    standbys: Record<string, string | undefined>,
  ): Map<string, SourceConfig> =>
    new Map(
      Object.entries(standbys).map(([name, standby]) => [
        name,
        {
          type: 'opa',
          options: {},
          remote: {
            guard: { timeout: 1 },
            onUnavailable: 'fail-closed',
            standby,
            endpoints: [undefined],
          },
        } as unknown as SourceConfig,
      ]),
    );

  const SOURCES = sourcesWith({
    into: 'b',
    a: 'b',
    b: 'c',
    c: 'a',
    self: 'self',
    alone: undefined,
    first: 'alone',
    lost: 'nobody',
  });

  it('the circles are found', () => {
    expect([...standbyCircles(SOURCES)].sort()).toEqual(['a', 'b', 'c', 'self']);
  });

  it('the wait is that of the whole chain, and in a circle that of the circle', () => {
    expect(Object.fromEntries(longestWaits(SOURCES))).toEqual({
      into: 4,
      a: 3,
      b: 3,
      c: 3,
      self: 1,
      alone: 1,
      first: 2,
      lost: 1,
    });
  });

  it('what is named includes the standbys, each once', () => {
    expect([...withStandbys(['into', 'first', 'a'], SOURCES)]).toEqual([
      'into',
      'b',
      'c',
      'a',
      'first',
      'alone',
    ]);
  });

  it('a chain may be followed in part', () => {
    expect(standbyChain('into', SOURCES)).toEqual(['into', 'b', 'c', 'a']);
    expect(standbyChain('into', SOURCES, 2)).toEqual(['into', 'b']);
  });

  const names = Array.from({ length: 20_000 }, (_, index) => `s${index}`);

  it('a chain of thousands is followed once', () => {
    const get = jest.spyOn(Map.prototype, 'get');
    const chain = sourcesWith(
      Object.fromEntries(names.map((name, index) => [name, names[index + 1]])),
    );
    expect(longestWaits(chain).get('s0')).toBe(20_000);
    expect(standbyCircles(chain).size).toBe(0);
    expect(withStandbys(names, chain).size).toBe(20_000);
    expect(get.mock.calls.length).toBeLessThan(20 * names.length);
    get.mockRestore();
  });

  it('a circle of thousands is reported in a short line', async () => {
    const sources = Object.fromEntries(
      names
        .slice(0, 200)
        .map((name, index) => [
          name,
          opa(names[(index + 1) % 200], { timeout: '1ms' }),
        ]),
    );
    const [first] = await problems(configOf(sources, {}, { sources: ['s0'] }));
    expect(first).toBe(
      "~.sources.s0.standby: leads back to 's0' (s0 → s1 → s2 → s3 → s4 → s5 → s6 → s7 → s8 → s9 → … → s0); a chain of standbys must end",
    );
  });
});
