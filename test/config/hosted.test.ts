/** The table and the modules of the backend must name the same hosted policies. */
import { LiveConfig } from '../../src/config/live-config';
import { readConfig } from '../../src/config/read';
import { longestWait, standbyChain } from '../../src/config/standby';
import { CONFIG_PATH, ConfigError } from '../../src/config/types';
import type { SourceConfig } from '../../src/sources/kind';
import { Deadline } from '../../src/lib/deadline';
import { BroughtSources } from '../../src/hosting/brought-sources';
import { Snapshot } from '../../src/snapshot';
import { permission, request } from '../fixtures/builders';
import { ChangingConfig } from '../support/changing-config';
import { CapturedLogs } from '../support/captured-logs';
import { directoryOf } from '../support/rule-directory';

const HOSTED = { type: 'hosted' };
const OPA = { type: 'opa', baseUrl: 'http://127.0.0.1:8181', entrypoint: 'a/b' };
const OWNERSHIP = { type: 'ownership' };

const policy = { handle: async () => ({ result: 'DENY' }) as never };

/** Modules of `hostPolicy`, by the names they are wrapped under. */
function hosted(...names: string[]): BroughtSources {
  const brought = new BroughtSources();
  for (const name of names) brought.host(name).setPolicy(policy);
  return brought;
}

/** Modules written for the router. */
function added(...names: string[]): BroughtSources {
  const brought = new BroughtSources();
  for (const name of names) brought.addSource(name, policy);
  return brought;
}

/** With one route to these sources, all of them unless others are named. */
const config = (
  sources: object,
  more: object = {},
  route: object = { sources: Object.keys(sources) },
): object => ({
  fallback: 'deny',
  sources,
  routes: [{ prefix: '', ...route }],
  ...more,
});

/** Each problem as `path: message`; `~` stands for `permission.policyRouter`. */
function problems(raw: object, brought: BroughtSources): string[] {
  try {
    readConfig(raw, undefined, brought);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(
      ({ path, message }) => `${path.replace(CONFIG_PATH, '~')}: ${message}`,
    );
  }
}

const warnings = (raw: object, brought: BroughtSources): string[] =>
  readConfig(raw, undefined, brought).warnings.map(warning =>
    warning.replace(CONFIG_PATH, '~'),
  );

const sourcesOf = (raw: object, brought: BroughtSources) =>
  readConfig(raw, undefined, brought).config.sources;

/** Names that are members of every object; written as JSON, each is a key of its own. */
const MEMBERS = ['constructor', 'toString', 'hasOwnProperty'];
const named = (name: string, source: object): object =>
  JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(source)}}`) as object;

/** Of a hosted source that no module brings. */
const missing = (name: string, brought = 'none'): string =>
  `no module brings this policy; brought: ${brought}. Wrap the module that sets it, ` +
  `backend.add(hostPolicy('${name}', …)), or call addSource('${name}', …) in a module of ` +
  'yours. If there is such a module, it has not started: see its own error';

describe('a hosted source', () => {
  it.each(['team', 'te.am', 'Ünicode', 'x'.repeat(64), ...MEMBERS])(
    'that a module brings is there: %s',
    name => {
      for (const brought of [hosted(name), added(name)]) {
        const raw = config(named(name, HOSTED), {}, { sources: [name] });
        expect(problems(raw, brought)).toEqual([]);
        expect(sourcesOf(raw, brought).get(name)).toMatchObject(HOSTED);
      }
    },
  );

  it.each<[what: string, name: string, brought: () => BroughtSources, problem: string]>(
    [
      ['where no module brings any', 'team', hosted, missing('team')],
      [
        'where modules bring others',
        'team',
        () => {
          const brought = hosted('teem', 'rbac');
          brought.addSource('own', policy);
          return brought;
        },
        missing('team', "'teem', 'rbac', 'own'"),
      ],
      [
        'whose module has set none',
        'team',
        () => {
          const brought = new BroughtSources();
          brought.host('team');
          return brought;
        },
        "the module of hostPolicy('team', …) has set no policy in its init; has it failed to start?",
      ],
      [
        'whose module has set none, beside others that have',
        'team',
        () => {
          const brought = hosted('rbac');
          brought.host('team');
          return brought;
        },
        "the module of hostPolicy('team', …) has set no policy in its init; has it failed to start?",
      ],
      ...MEMBERS.map((name): [string, string, () => BroughtSources, string] => [
        'that is a member of objects only',
        name,
        hosted,
        missing(name),
      ]),
    ],
  )('%s is an error: %s', (_what, name, brought, problem) => {
    const alone = config(named(name, HOSTED), {}, { sources: [name] });
    const others = brought().names;
    expect(problems(alone, brought())).toContain(`~.sources.${name}: ${problem}`);
    expect(problems(alone, brought())).toHaveLength(1 + others.length);
  });

  it('is an error even if no route names it', () => {
    const raw = config({ team: HOSTED, own: OWNERSHIP }, {}, { sources: ['own'] });
    expect(problems(raw, hosted())).toEqual([`~.sources.team: ${missing('team')}`]);
  });

  it('is not told to be missing twice where it has mistakes of its own', () => {
    const raw = config({ team: { ...HOSTED, timout: '1s' } });
    expect(problems(raw, hosted())).toEqual([
      "~.sources.team: unknown key 'timout'; allowed: type, timeout, concurrency, queue, circuitBreaker, onUnavailable, standby",
      `~.sources.team: ${missing('team')}`,
    ]);
    expect(problems(raw, hosted('team'))).toHaveLength(1);
  });
});

describe('a policy that a module brings', () => {
  const unnamed = (name: string): string =>
    `~.sources: a module brings the policy "${name}", but no source has this name; add ${name}: { type: hosted }, or take the module out of the backend`;

  it.each(['team', ...MEMBERS])('must have a source: %s', name => {
    for (const brought of [hosted(name), added(name)]) {
      expect(problems(config({ own: OWNERSHIP }), brought)).toEqual([unnamed(name)]);
    }
  });

  it('must have one where the config has none at all', () => {
    const raw = { fallback: 'deny', routes: [{ prefix: '', sources: ['deny'] }] };
    expect(problems(raw, hosted('a', 'b'))).toEqual([unnamed('a'), unnamed('b')]);
  });

  it.each<[type: string, source: object]>([
    ['opa', OPA],
    ['ownership', OWNERSHIP],
    ['opa-wasm', { type: 'opa-wasm', bundle: '/bundle.tar.gz', entrypoint: 'a/b' }],
  ])('must not have the name of a source of type %s', (_type, source) => {
    for (const name of ['team', ...MEMBERS]) {
      const raw = config(named(name, source), {}, { sources: [name] });
      expect(problems(raw, hosted(name))).toEqual([
        `~.sources.${name}.type: must be 'hosted', as a module brings a policy of this name`,
      ]);
    }
  });

  it.each<[what: string, source: unknown, ...problems: string[]]>([
    [
      'no type',
      {},
      "~.sources.team.type: must be one of 'opa', 'opa-wasm', 'ownership', 'hosted'",
      "~.sources.team.type: must be 'hosted', as a module brings a policy of this name",
    ],
    [
      'a type that is not there',
      { type: 'host' },
      "~.sources.team.type: must be one of 'opa', 'opa-wasm', 'ownership', 'hosted', not 'host'",
      "~.sources.team.type: must be 'hosted', as a module brings a policy of this name",
    ],
    [
      'no source but a text',
      'hosted',
      "~.sources.team.type: must be one of 'opa', 'opa-wasm', 'ownership', 'hosted'",
    ],
    [
      'no source but null',
      null,
      "~.sources.team.type: must be one of 'opa', 'opa-wasm', 'ownership', 'hosted'",
    ],
  ])('is told the type if the source has %s', (_what, source, ...expected) => {
    expect(problems(config({ team: source }), hosted('team'))).toEqual(expected);
  });
});

it('all mistakes are told at once, those of hosted policies first', () => {
  const brought = hosted('unknown', 'own');
  brought.host('unset');
  const raw = {
    fallbak: 'deny',
    sources: {
      missing: HOSTED,
      unset: { ...HOSTED, queue: -1 },
      own: OWNERSHIP,
      'te am': OWNERSHIP,
      broken: { ...HOSTED, standby: 'nobody' },
    },
    routes: [{ prefix: '', sources: ['missing', 'teem'] }],
  };
  expect(problems(raw, brought)).toEqual([
    "~.fallback: is required: 'allow' or 'deny'",
    "~: unknown key 'fallbak'; allowed: routingFile, fallback, anonymous, onUnavailable, deadline, verifyConditions, maxConditionBytes, sources, routes",
    '~.sources.unset.queue: must be a whole number from 0 to 100000, not -1',
    '~.sources: the name "te am" must have 1 to 64 characters, without white space or control characters',
    `~.sources.missing: ${missing('missing', "'unknown', 'own'")}`,
    "~.sources.unset: the module of hostPolicy('unset', …) has set no policy in its init; has it failed to start?",
    `~.sources.broken: ${missing('broken', "'unknown', 'own'")}`,
    '~.sources: a module brings the policy "unknown", but no source has this name; add unknown: { type: hosted }, or take the module out of the backend',
    "~.sources.own.type: must be 'hosted', as a module brings a policy of this name",
    "~.sources.broken.standby: unknown source 'nobody'; allowed: 'deny', 'missing', 'unset', 'own', 'te am'",
    "~.routes[0].sources[1]: unknown source 'teem'; allowed: 'allow', 'deny', 'missing', 'unset', 'own', 'te am', 'broken'",
  ]);
});

it.each<[what: string, name: string]>([
  ['of control characters', 'te\nam\u202e'],
  ['of thousands of characters', 'x'.repeat(5000)],
])(
  'a name that no source may have is told in one short line, be it %s',
  (_what, name) => {
    const told = problems(config({ [name]: HOSTED, own: OWNERSHIP }), hosted());
    expect(told[0]).toContain('must have 1 to 64 characters');
    for (const line of told) {
      expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      expect(line.length).toBeLessThan(1000);
    }
  },
);

describe('the config of a hosted source', () => {
  const read = (source: object): SourceConfig | undefined =>
    sourcesOf(config({ team: { ...HOSTED, ...source } }), hosted('team')).get('team');

  it('has a default for everything', () => {
    expect(read({})).toEqual({
      type: 'hosted',
      guard: {
        timeout: 1000,
        concurrency: 64,
        queue: 2000,
        circuitBreaker: {
          errorThreshold: 50,
          volumeThreshold: 5,
          rollingWindow: 10_000,
          resetTimeout: 10_000,
        },
      },
      onUnavailable: 'fail-closed',
      standby: undefined,
    });
  });

  it('may say everything', () => {
    const source = {
      timeout: { milliseconds: 750 },
      concurrency: '8',
      queue: 0,
      circuitBreaker: {
        errorThreshold: 1,
        volumeThreshold: 1,
        rollingWindow: '1h',
        resetTimeout: 'PT1S',
      },
      onUnavailable: 'fail-open',
      standby: 'deny',
    };
    expect(read(source)).toEqual({
      type: 'hosted',
      guard: {
        timeout: 750,
        concurrency: 8,
        queue: 0,
        circuitBreaker: {
          errorThreshold: 1,
          volumeThreshold: 1,
          rollingWindow: 3_600_000,
          resetTimeout: 1000,
        },
      },
      onUnavailable: 'fail-open',
      standby: 'deny',
    });
  });

  it('takes the failure mode of all sources, unless it has its own', () => {
    const modeOf = (source: object): unknown => {
      const raw = config(
        { team: { ...HOSTED, ...source } },
        { onUnavailable: 'fail-open' },
      );
      return sourcesOf(raw, hosted('team')).get('team');
    };
    expect(modeOf({})).toMatchObject({ onUnavailable: 'fail-open' });
    expect(modeOf({ onUnavailable: 'fail-closed' })).toMatchObject({
      onUnavailable: 'fail-closed',
    });
  });

  const KEYS =
    'allowed: type, timeout, concurrency, queue, circuitBreaker, onUnavailable, standby';
  const DURATION =
    "must be a duration such as '500ms', '2s', 'PT0.5S' or { milliseconds: 500 }, above zero and at most";
  it.each<[what: string, source: object, problem: string]>([
    ['a key of opa', { baseUrl: OPA.baseUrl }, `: unknown key 'baseUrl'; ${KEYS}`],
    ['a policy', { policy: {} }, `: unknown key 'policy'; ${KEYS}`],
    [
      'a timeout of zero',
      { timeout: '0s' },
      `.timeout: ${DURATION} 2147483647 ms, not "0s"`,
    ],
    [
      'a timeout of no unit',
      { timeout: 500 },
      `.timeout: ${DURATION} 2147483647 ms, not 500`,
    ],
    [
      'a timeout as long as the deadline',
      { timeout: '2s' },
      '.timeout: 2000 ms is not shorter than the deadline of a whole decision, 2000 ms',
    ],
    [
      'no concurrency',
      { concurrency: 0 },
      '.concurrency: must be a whole number from 1 to 10000, not 0',
    ],
    [
      'too much concurrency',
      { concurrency: 10_001 },
      '.concurrency: must be a whole number from 1 to 10000, not 10001',
    ],
    [
      'half a place',
      { queue: 0.5 },
      '.queue: must be a whole number from 0 to 100000, not 0.5',
    ],
    [
      'too long a queue',
      { queue: 100_001 },
      '.queue: must be a whole number from 0 to 100000, not 100001',
    ],
    [
      'a breaker that opens at every failure',
      { circuitBreaker: { errorThreshold: 0 } },
      '.circuitBreaker.errorThreshold: must be a whole number from 1 to 99, not 0',
    ],
    [
      'a breaker of another key',
      { circuitBreaker: { enabled: false } },
      ".circuitBreaker: unknown key 'enabled'; allowed: errorThreshold, volumeThreshold, rollingWindow, resetTimeout",
    ],
    [
      'too long a window',
      { circuitBreaker: { rollingWindow: '2h' } },
      `.circuitBreaker.rollingWindow: ${DURATION} 3600000 ms, not "2h"`,
    ],
    [
      'another failure mode',
      { onUnavailable: 'open' },
      ".onUnavailable: must be 'fail-closed' or 'fail-open', not \"open\"",
    ],
    [
      'no name of a standby',
      { standby: '' },
      '.standby: must be the name of a source, not empty',
    ],
  ])('must not have %s', (_what, source, problem) => {
    const raw = config({ team: { ...HOSTED, ...source } });
    expect(problems(raw, hosted('team'))).toEqual([`~.sources.team${problem}`]);
  });
});

describe('fail-open with a hosted source', () => {
  const open = { ...HOSTED, onUnavailable: 'fail-open' };

  it.each<[what: string, raw: object]>([
    ['alone on a route', config({ team: open })],
    ['beside others that must agree', config({ team: open, own: OWNERSHIP })],
    [
      'by the route',
      config({ team: HOSTED }, {}, { sources: ['team'], onUnavailable: 'fail-open' }),
    ],
    [
      'that the route takes back',
      config(
        { team: open, own: OWNERSHIP },
        {},
        {
          sources: ['team', 'own'],
          combine: 'first-applicable',
          onUnavailable: 'fail-closed',
        },
      ),
    ],
  ])('may be %s', (_what, raw) => {
    expect(problems(raw, hosted('team'))).toEqual([]);
  });

  it.each(['first-applicable', 'allow-overrides'])(
    'must not silence the others of a route of %s',
    combine => {
      const sources = { team: open, own: OWNERSHIP };
      const raw = config(sources, {}, { sources: ['own', 'team'], combine });
      expect(problems(raw, hosted('team'))).toEqual([
        `~.routes[0].onUnavailable: fail-open would silence the healthy sources of a route that combines by ${combine}; allowed: 'fail-closed', or combine: deny-overrides`,
      ]);
    },
  );
});

describe('a standby', () => {
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
  ])('may be %s', (_what, sources, chain) => {
    const names = Object.entries(sources)
      .filter(([, source]) => (source as { type: string }).type === 'hosted')
      .map(([name]) => name);
    const raw = config(sources, {}, { sources: ['first'] });
    expect(problems(raw, hosted(...names))).toEqual([]);
    expect(standbyChain('first', sourcesOf(raw, hosted(...names)))).toEqual(chain);
  });

  const withStandby = (standby: string): object => ({ team: { ...HOSTED, standby } });
  it.each<[what: string, sources: object, ...problems: string[]]>([
    [
      'a source that is not there',
      withStandby('nobody'),
      "~.sources.team.standby: unknown source 'nobody'; allowed: 'deny'",
    ],
    [
      'a source that is a member of objects only',
      withStandby('constructor'),
      "~.sources.team.standby: unknown source 'constructor'; allowed: 'deny'",
    ],
    [
      'allow',
      withStandby('allow'),
      "~.sources.team.standby: must not be 'allow': an outage or a flood would open everything; allowed: 'deny'",
    ],
    [
      'itself',
      withStandby('team'),
      "~.sources.team.standby: leads back to 'team' (team → team); a chain of standbys must end",
    ],
    [
      'a source that it stands in for',
      { team: { ...HOSTED, standby: 'opa' }, opa: { ...OPA, standby: 'team' } },
      "~.sources.team.standby: leads back to 'team' (team → opa → team); a chain of standbys must end",
      "~.sources.opa.standby: leads back to 'opa' (opa → team → opa); a chain of standbys must end",
    ],
  ])('of a hosted policy must not be %s', (_what, sources, ...expected) => {
    expect(problems(config(sources), hosted('team'))).toEqual(expected);
  });
});

describe('the time of a hosted source', () => {
  const hostedFor = (timeout: string, standby?: string): object => ({
    ...HOSTED,
    timeout,
    ...(standby === undefined ? {} : { standby }),
  });

  it.each<[what: string, sources: object, wait: number, ...problems: string[]]>([
    ['its own', { team: hostedFor('1999ms') }, 1999],
    [
      'its own and that of its standby',
      { team: hostedFor('1s', 'opa'), opa: OPA },
      1500,
    ],
    [
      'its own and nothing for a standby that decides at once',
      { team: hostedFor('1999ms', 'own'), own: OWNERSHIP },
      1999,
    ],
    [
      'its own and that of its standbys, if it is too long',
      { team: hostedFor('1s', 'second'), second: hostedFor('900ms', 'opa'), opa: OPA },
      2400,
      '~.sources.team.timeout: 1000 ms (2400 ms with its standby) is not shorter than the deadline of a whole decision, 2000 ms',
    ],
    [
      'its own and that of each endpoint of its standby, if it is too long',
      {
        team: hostedFor('1s', 'opa'),
        opa: { ...OPA, baseUrl: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] },
      },
      2000,
      '~.sources.team.timeout: 1000 ms (2000 ms with its standby) is not shorter than the deadline of a whole decision, 2000 ms',
    ],
    [
      'that of the source it stands in for, too',
      { opa: { ...OPA, standby: 'team' }, team: hostedFor('1500ms') },
      2000,
      '~.sources.opa.timeout: 500 ms (2000 ms with its standby) is not shorter than the deadline of a whole decision, 2000 ms',
    ],
  ])('is %s', (_what, sources, wait, ...expected) => {
    const names = ['team', 'second'].filter(name => name in sources);
    const [first] = Object.keys(sources);
    expect(problems(config(sources), hosted(...names))).toEqual(expected);
    const longer = config(sources, { deadline: '1h' });
    expect(longestWait(first!, sourcesOf(longer, hosted(...names)))).toBe(wait);
  });
});

describe('a warning of a policy that never abstains', () => {
  const warned = (
    names: string[],
    combine: string,
    brought = hosted('team'),
  ): string[] => {
    const sources: object = { team: HOSTED, own: OWNERSHIP, other: OWNERSHIP };
    const all = [
      ...names,
      ...Object.keys(sources).filter(name => !names.includes(name)),
    ];
    // The last route only names the others, which would be told to be unused.
    const rest = { prefix: 'x', sources: all, combine: 'first-applicable' };
    const raw = {
      fallback: 'deny',
      sources,
      routes: [{ prefix: '', sources: names, combine }, rest],
    };
    return warnings(raw, brought).filter(warning => warning.startsWith('~.routes[0]'));
  };
  const TEAM = "~.routes[0]: 'team' is hosted and never abstains, so";

  it.each<[sources: string[], combine: string, effect: string]>([
    [
      ['team', 'own'],
      'deny-overrides',
      'a permission that it denies because it is not its own is denied here, whatever the others say (deny-overrides)',
    ],
    [
      ['own', 'team'],
      'deny-overrides',
      'a permission that it denies because it is not its own is denied here, whatever the others say (deny-overrides)',
    ],
    [
      ['own', 'team'],
      'allow-overrides',
      'a permission that it allows because it is not its own is allowed here, whatever the others say (allow-overrides)',
    ],
    [
      ['team', 'own'],
      'first-applicable',
      "'own' after it never decides (first-applicable)",
    ],
    [
      ['team', 'own', 'other'],
      'first-applicable',
      "'own', 'other' after it never decide (first-applicable)",
    ],
    [
      ['own', 'team', 'other'],
      'first-applicable',
      "'other' after it never decides (first-applicable)",
    ],
    [
      ['team', 'deny'],
      'first-applicable',
      "'deny' after it never decides (first-applicable)",
    ],
  ])('tells the effect on %j under %s', (sources, combine, effect) => {
    expect(warned(sources, combine)).toEqual([`${TEAM} ${effect}`]);
  });

  it.each<[what: string, sources: string[], combine: string]>([
    ['alone', ['team'], 'deny-overrides'],
    ['alone', ['team'], 'allow-overrides'],
    ['alone', ['team'], 'first-applicable'],
    ['the last one asked', ['own', 'other', 'team'], 'first-applicable'],
    ['not of the route', ['own', 'other'], 'deny-overrides'],
  ])('does not come where it is %s: %j under %s', (_what, sources, combine) => {
    expect(warned(sources, combine)).toEqual([]);
  });

  it.each(['deny-overrides', 'allow-overrides', 'first-applicable'])(
    'does not come of one that a module adds, which may abstain: %s',
    combine => {
      expect(warned(['team', 'own'], combine, added('team'))).toEqual([]);
    },
  );

  it('tells what it means for a standby, even of a source that is a standby itself', () => {
    const sources = {
      opa: { ...OPA, standby: 'rbac' },
      rbac: { ...HOSTED, timeout: '500ms', standby: 'team' },
      team: { ...HOSTED, timeout: '500ms' },
    };
    const raw = config(sources, {}, { sources: ['opa'] });
    const effect = (of: string): string =>
      `is hosted and never abstains, so what it allows because it is not its own is allowed while '${of}' is away or flooded`;
    expect(warnings(raw, hosted('rbac', 'team'))).toEqual([
      `~.sources.opa.standby: 'rbac' ${effect('opa')}`,
      `~.sources.rbac.standby: 'team' ${effect('rbac')}`,
    ]);
    expect(warnings(raw, added('rbac', 'team'))).toEqual([]);
  });

  it('does not come of a standby that is no hosted policy', () => {
    const sources = {
      team: { ...HOSTED, standby: 'opa' },
      opa: { ...OPA, standby: 'own' },
    };
    const raw = config({ ...sources, own: OWNERSHIP }, {}, { sources: ['team'] });
    expect(warnings(raw, hosted('team'))).toEqual([]);
  });

  it('comes for each policy on each route', () => {
    const sources = { rbac: HOSTED, team: HOSTED, own: OWNERSHIP };
    const routes = [
      { prefix: 'a', sources: ['rbac', 'team'] },
      { prefix: 'b', sources: ['rbac'] },
      { prefix: 'c', sources: ['own', 'team'], combine: 'allow-overrides' },
    ];
    const told = warnings(
      { fallback: 'deny', sources, routes },
      hosted('rbac', 'team'),
    );
    expect(told.map(warning => warning.split(' is hosted')[0])).toEqual([
      "~.routes[0]: 'rbac'",
      "~.routes[0]: 'team'",
      "~.routes[2]: 'team'",
    ]);
  });

  it('comes after those of a table alone', () => {
    const raw = config(
      { team: HOSTED, own: OWNERSHIP, more: OWNERSHIP },
      {},
      {
        sources: ['team', 'own'],
      },
    );
    expect(warnings(raw, hosted('team')).map(each => each.split(':')[0])).toEqual([
      '~.sources.more',
      '~.routes[0]',
    ]);
  });
});

it('a hosted source that no route names is warned of', () => {
  const raw = config({ team: HOSTED }, {}, { sources: ['deny'] });
  expect(warnings(raw, hosted('team'))).toEqual([
    '~.sources.team: no route names this source',
  ]);
});

describe('a hot reload', () => {
  let live: LiveConfig | undefined;
  afterEach(() => live?.stop());

  /** What is told of a table that comes after that of the start. */
  async function reload(
    brought: BroughtSources,
    start: object,
    next: object,
  ): Promise<string> {
    const logs = new CapturedLogs();
    const rootConfig = new ChangingConfig(start);
    const logger = logs.logger();
    live = new LiveConfig(rootConfig.service, logger, brought);
    await live.read();
    brought.close();
    live.watch(async ({ config: read }) => {
      logger.info(`The changed config is in use: ${[...read.sources.keys()].join()}`);
    });
    rootConfig.change(next);
    return (await logs.waitFor('The changed config is ')).message;
  }

  it('finds the policies that were brought before the start', async () => {
    const told = await reload(
      hosted('team'),
      config({ team: HOSTED }),
      config({ team: { ...HOSTED, timeout: '500ms' } }),
    );
    expect(told).toBe('The changed config is in use: allow,deny,team');
  });

  it('that forgets one of them changes nothing', async () => {
    const told = await reload(
      hosted('team'),
      config({ team: HOSTED }),
      config({ own: OWNERSHIP }),
    );
    expect(told).toContain(
      'permission.policyRouter.sources: a module brings the policy "team", but no source has this name',
    );
  });

  it('that names one that no module brings changes nothing', async () => {
    const told = await reload(
      hosted('team'),
      config({ team: HOSTED }),
      config({ team: HOSTED, rbac: HOSTED }),
    );
    expect(told).toContain(
      "permission.policyRouter.sources.rbac: no module brings this policy; brought: 'team'.",
    );
  });

  it('keeps the guard of an unchanged source, and the policy of a changed one', async () => {
    const brought = hosted('team');
    const logger = new CapturedLogs().logger();
    const services = { logger, ruleDirectory: directoryOf(), policies: brought };
    const build = (source: object, previous?: Snapshot): Promise<Snapshot> =>
      Snapshot.build(
        readConfig(config({ team: source }), undefined, brought).config,
        services,
        previous,
      );
    const asked = permission('team.read');
    const guardOf = ({ table: routes }: Snapshot) =>
      routes.match(asked)!.legs[0]!.chain.links[0].guard;
    const first = await build(HOSTED);
    const second = await build({ ...HOSTED, onUnavailable: 'fail-open' }, first);
    expect(guardOf(second)).toBe(guardOf(first));
    const third = await build({ ...HOSTED, timeout: '500ms' }, second);
    expect(guardOf(third)).not.toBe(guardOf(second));
    for (const snapshot of [second, third]) {
      const guard = guardOf(snapshot);
      const answer = await guard.ask(request(asked), new Deadline(1000), said => said);
      expect(answer).toEqual({ kind: 'DENY', reason: 'the policy says DENY' });
    }
    for (const snapshot of [first, second, third]) snapshot.retire();
  });
});
