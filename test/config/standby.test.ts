import { standbyChain } from '../../src/config/standby';
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
