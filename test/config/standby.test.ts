import { readConfig } from '../../src/config/read';
import { longestWait, standbyChain } from '../../src/config/standby';
import { CONFIG_PATH, ConfigError, type RouterConfig } from '../../src/config/types';

const opa = (standby?: string, more: object = {}): object => ({
  type: 'opa',
  baseUrl: 'http://127.0.0.1:8181',
  entrypoint: 'a/b',
  ...(standby === undefined ? {} : { standby }),
  ...more,
});
const OWNERSHIP = { type: 'ownership' };
const EMBEDDED = { type: 'opa-wasm', bundle: '/bundle.tar.gz', entrypoint: 'a/b' };

/** With a route to the source `opa`. */
const config = (sources: object, more: object = {}): object => ({
  fallback: 'deny',
  sources,
  routes: [{ prefix: '', sources: ['opa'] }],
  ...more,
});

/** Each problem as `path: message`; `~` stands for `permission.policyRouter.sources`. */
function problems(raw: object): string[] {
  try {
    readConfig(raw);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(
      ({ path, message }) =>
        `${path.replace(`${CONFIG_PATH}.sources`, '~')}: ${message}`,
    );
  }
}

/** The same sources, the last of the file first. */
const reversed = (sources: object): object =>
  Object.fromEntries(Object.entries(sources).reverse());

const sourcesOf = (sources: object): RouterConfig['sources'] =>
  readConfig(config(sources)).config.sources;

describe('a standby', () => {
  it.each<[what: string, sources: object, chain: string[]]>([
    ['of no source', { opa: opa() }, ['opa']],
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
  ])('may be %s, wherever it stands in the file', (_what, sources, chain) => {
    for (const each of [sources, reversed(sources)]) {
      expect(problems(config(each))).toEqual([]);
      expect(standbyChain('opa', sourcesOf(each))).toEqual(chain);
    }
  });

  it.each<[what: string, sources: object, ...problems: string[]]>([
    [
      'a source that is not there',
      { opa: opa('embeded'), embedded: EMBEDDED },
      "~.opa.standby: unknown source 'embeded'; allowed: 'deny', 'embedded'",
    ],
    [
      'a source that is a member of objects only',
      { opa: opa('toString') },
      "~.opa.standby: unknown source 'toString'; allowed: 'deny'",
    ],
    [
      'allow',
      { opa: opa('allow'), own: OWNERSHIP },
      "~.opa.standby: must not be 'allow': an outage or a flood would open everything; allowed: 'deny', 'own'",
    ],
    [
      'itself',
      { opa: opa('opa') },
      "~.opa.standby: leads back to 'opa' (opa → opa); a chain of standbys must end",
    ],
    [
      'a source that it stands in for',
      { opa: opa('b'), b: opa('opa') },
      "~.opa.standby: leads back to 'opa' (opa → b → opa); a chain of standbys must end",
      "~.b.standby: leads back to 'b' (b → opa → b); a chain of standbys must end",
    ],
    [
      'one of three in a circle',
      { opa: opa('b'), b: opa('c'), c: opa('opa') },
      "~.opa.standby: leads back to 'opa' (opa → b → c → opa); a chain of standbys must end",
      "~.b.standby: leads back to 'b' (b → c → opa → b); a chain of standbys must end",
      "~.c.standby: leads back to 'c' (c → opa → b → c); a chain of standbys must end",
    ],
    [
      'nothing in quotes',
      { opa: opa('') },
      '~.opa.standby: must be the name of a source, not empty',
    ],
    [
      'a list',
      { opa: opa(undefined, { standby: ['own'] }), own: OWNERSHIP },
      '~.opa.standby: must be the name of a source',
    ],
  ])(
    'must not be %s, wherever it stands in the file',
    (_what, sources, ...expected) => {
      expect(problems(config(sources))).toEqual(expected);
      expect(problems(config(reversed(sources))).sort()).toEqual([...expected].sort());
    },
  );

  it('that leads into a circle is told where the circle is', () => {
    expect(problems(config({ opa: opa('b'), b: opa('c'), c: opa('b') }))).toEqual([
      "~.b.standby: leads back to 'b' (b → c → b); a chain of standbys must end",
      "~.c.standby: leads back to 'c' (c → b → c); a chain of standbys must end",
    ]);
  });

  it('is told of together with what else is wrong in its source', () => {
    expect(problems(config({ opa: opa('own', { queue: -1 }) }))).toEqual([
      '~.opa.queue: must be a whole number from 0 to 100000, not -1',
      "~.opa.standby: unknown source 'own'; allowed: 'deny'",
    ]);
  });

  it('that has mistakes of its own is not told to be unknown', () => {
    expect(problems(config({ opa: opa('own'), own: { type: 'owner' } }))).toEqual([
      "~.own.type: must be one of 'opa', 'opa-wasm', 'ownership', 'hosted', not 'owner'",
    ]);
  });

  it.each([
    ['opa-wasm', EMBEDDED, 'type, bundle, entrypoint'],
    ['ownership', OWNERSHIP, 'type, bypass, kinds, resources'],
  ])('is nothing for %s, which cannot be away', (_type, source, allowed) => {
    expect(problems(config({ opa: { ...source, standby: 'nobody' } }))).toEqual([
      `~.opa: unknown key 'standby'; allowed: ${allowed}`,
    ]);
  });
});

describe('a source, its endpoints and its standbys', () => {
  const TWO = ['http://a', 'http://b'];
  const THREE = [...TWO, 'http://c'];

  it.each<[what: string, sources: object, wait: number, problem: string]>([
    ['one endpoint', { opa: opa(undefined, { timeout: '1999ms' }) }, 1999, ''],
    [
      'two endpoints',
      { opa: opa(undefined, { baseUrl: TWO, timeout: '999ms' }) },
      1998,
      '',
    ],
    [
      'two endpoints',
      { opa: opa(undefined, { baseUrl: TWO, timeout: '1s' }) },
      2000,
      '1000 ms (2000 ms with 2 endpoints)',
    ],
    [
      'a standby that must be waited for',
      { opa: opa('b', { timeout: '1s' }), b: opa(undefined, { timeout: '999ms' }) },
      1999,
      '',
    ],
    [
      'a standby that must be waited for',
      { opa: opa('b', { timeout: '1s' }), b: opa(undefined, { timeout: '1s' }) },
      2000,
      '1000 ms (2000 ms with its standby)',
    ],
    [
      'two endpoints and a standby of three',
      { opa: opa('b', { baseUrl: TWO }), b: opa(undefined, { baseUrl: THREE }) },
      2500,
      '500 ms (2500 ms with 2 endpoints and its standby)',
    ],
    [
      'three in a chain',
      { opa: opa('b'), b: opa('c', { timeout: '600ms' }), c: opa() },
      1600,
      '',
    ],
    [
      'a standby that answers at once',
      { opa: opa('own', { timeout: '1999ms' }), own: OWNERSHIP },
      1999,
      '',
    ],
    [
      'a standby that answers at once',
      { opa: opa('own', { timeout: '2s' }), own: OWNERSHIP },
      2000,
      '2000 ms',
    ],
  ])('with %s must be done before the deadline (%#)', (_w, sources, wait, problem) => {
    expect(problems(config(sources))).toEqual(
      problem === ''
        ? []
        : [
            `~.opa.timeout: ${problem} is not shorter than the deadline of a whole decision, 2000 ms`,
          ],
    );
    const { sources: read } = readConfig(config(sources, { deadline: '10s' })).config;
    expect(longestWait('opa', read)).toBe(wait);
  });

  it('have as much time as the deadline gives', () => {
    const raw = config({ opa: opa('b', { baseUrl: TWO }), b: opa() });
    expect(problems({ ...raw, deadline: '1501ms' })).toEqual([]);
    expect(problems({ ...raw, deadline: '1500ms' })).toEqual([
      '~.opa.timeout: 500 ms (1500 ms with 2 endpoints and its standby) is not shorter than the deadline of a whole decision, 1500 ms',
    ]);
  });

  it('are told of where the sum is too long, also in the middle of a chain', () => {
    const raw = config({ opa: opa('b'), b: opa('c'), c: opa() }, { deadline: '1s' });
    expect(problems(raw).map(problem => problem.split(': ')[0])).toEqual([
      '~.opa.timeout',
      '~.b.timeout',
    ]);
  });
});
