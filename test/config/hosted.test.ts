/** The table and the modules of the backend must name the same hosted policies. */
import { ProvidedPolicies } from '../../src/hosting/provided-policies';
import { CapturedLogs } from '../support/captured-logs';
import { startRouter, type TestRouter } from '../support/router';
import {
  added,
  configOf,
  hosted,
  HOSTED,
  OPA,
  OWNERSHIP,
  POLICY,
  problems,
  sourcesOf,
  TYPES,
  warnings,
} from '../support/read-config';

/** Names that are members of every object; written as JSON, each is a key of its own. */
const MEMBERS = ['constructor', 'toString', 'hasOwnProperty'];
const named = (name: string, source: object): object =>
  JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(source)}}`) as object;

/** Of a hosted source that no module provides. */
const missing = (name: string, provided = 'none'): string =>
  `no module provides this policy; provided: ${provided}. Wrap the module that sets it, ` +
  `backend.add(hostPolicy('${name}', …)), or call addSource('${name}', …) in a module of ` +
  'your own. If there is such a module, it did not start: see its own error';

describe('a hosted source', () => {
  it.each(['team', 'te.am', 'Ünicode', 'x'.repeat(64), ...MEMBERS])(
    'that a module provides is valid: %s',
    async name => {
      for (const provided of [hosted(name), added(name)]) {
        const raw = configOf(named(name, HOSTED), {}, { sources: [name] });
        expect(await problems(raw, { provided })).toEqual([]);
        expect((await sourcesOf(raw, { provided })).get(name)).toMatchObject(HOSTED);
      }
    },
  );

  it.each<
    [what: string, name: string, provided: () => ProvidedPolicies, problem: string]
  >([
    ['if no module provides any', 'team', hosted, missing('team')],
    [
      'if modules provide others',
      'team',
      () => {
        const provided = hosted('teem', 'rbac');
        provided.addSource('own', POLICY);
        return provided;
      },
      missing('team', "'teem', 'rbac', 'own'"),
    ],
    [
      'whose module did not set one',
      'team',
      () => {
        const provided = new ProvidedPolicies();
        provided.host('team');
        return provided;
      },
      "the module in hostPolicy('team', …) did not call setPolicy() during init; check whether it started",
    ],
    [
      'whose module did not set one, while others did',
      'team',
      () => {
        const provided = hosted('rbac');
        provided.host('team');
        return provided;
      },
      "the module in hostPolicy('team', …) did not call setPolicy() during init; check whether it started",
    ],
    ...MEMBERS.map((name): [string, string, () => ProvidedPolicies, string] => [
      'that is only a member of objects',
      name,
      hosted,
      missing(name),
    ]),
  ])('%s is an error: %s', async (_what, name, provided, problem) => {
    const alone = configOf(named(name, HOSTED), {}, { sources: [name] });
    const others = provided().names;
    expect(await problems(alone, { provided: provided() })).toContain(
      `~.sources.${name}: ${problem}`,
    );
    expect(await problems(alone, { provided: provided() })).toHaveLength(
      1 + others.length,
    );
  });

  it('is an error even if no route names it', async () => {
    const raw = configOf({ team: HOSTED, own: OWNERSHIP }, {}, { sources: ['own'] });
    expect(await problems(raw, { provided: hosted() })).toEqual([
      `~.sources.team: ${missing('team')}`,
    ]);
  });

  it('is reported as missing once if it has other mistakes', async () => {
    const raw = configOf({ team: { ...HOSTED, timout: '1s' } });
    expect(await problems(raw, { provided: hosted() })).toEqual([
      "~.sources.team: unknown key 'timout'; allowed: type, timeout, concurrency, queue, circuitBreaker, onUnavailable, standby",
      `~.sources.team: ${missing('team')}`,
    ]);
    expect(await problems(raw, { provided: hosted('team') })).toHaveLength(1);
  });
});

describe('a policy that a module provides', () => {
  const unnamed = (name: string): string =>
    `~.sources: a module provides the policy "${name}", but no source has this name; add ${name}: { type: hosted }, or remove the module from the backend`;

  it.each(['team', ...MEMBERS])('must have a source: %s', async name => {
    for (const provided of [hosted(name), added(name)]) {
      expect(await problems(configOf({ own: OWNERSHIP }), { provided })).toEqual([
        unnamed(name),
      ]);
    }
  });

  it('must have one even if the config has no sources', async () => {
    const raw = { fallback: 'deny', routes: [{ prefix: '', sources: ['deny'] }] };
    expect(await problems(raw, { provided: hosted('a', 'b') })).toEqual([
      unnamed('a'),
      unnamed('b'),
    ]);
  });

  it.each<[type: string, source: object]>([
    ['opa', OPA],
    ['ownership', OWNERSHIP],
    ['opa-wasm', { type: 'opa-wasm', bundle: '/bundle.tar.gz', entrypoint: 'a/b' }],
  ])('must not have the name of a source of type %s', async (_type, source) => {
    for (const name of ['team', ...MEMBERS]) {
      const raw = configOf(named(name, source), {}, { sources: [name] });
      expect(await problems(raw, { provided: hosted(name) })).toEqual([
        `~.sources.${name}.type: must be 'hosted', because a module provides a policy with this name`,
      ]);
    }
  });

  it.each<[what: string, source: unknown, ...problems: string[]]>([
    [
      'no type',
      {},
      `~.sources.team.type: must be one of ${TYPES}`,
      "~.sources.team.type: must be 'hosted', because a module provides a policy with this name",
    ],
    [
      'an unknown type',
      { type: 'host' },
      `~.sources.team.type: must be one of ${TYPES}, not 'host'`,
      "~.sources.team.type: must be 'hosted', because a module provides a policy with this name",
    ],
    ['text for a source', 'hosted', `~.sources.team.type: must be one of ${TYPES}`],
    ['null for a source', null, `~.sources.team.type: must be one of ${TYPES}`],
  ])(
    'is reported with the type it needs if the source has %s',
    async (_what, source, ...expected) => {
      expect(
        await problems(configOf({ team: source }), { provided: hosted('team') }),
      ).toEqual(expected);
    },
  );
});

it('all mistakes are reported at once, those of hosted policies first', async () => {
  const provided = hosted('unknown', 'own');
  provided.host('unset');
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
  expect(await problems(raw, { provided })).toEqual([
    "~.fallback: is required: 'allow' or 'deny'. It is not set; if it is ${…} in app-config, that environment variable is not set",
    "~: unknown key 'fallbak'; allowed: routingFile, observeInRoutingFile, fallback, observe, anonymous, onUnavailable, deadline, verifyConditions, maxConditionBytes, operators, audit, recentDecisions, whenAskedWithoutResource, declared, shadow, sources, routes",
    '~.sources.unset.queue: must be a whole number from 0 to 100000, not -1',
    '~.sources: the name "te am" must have 1 to 64 characters, without white space or control characters',
    `~.sources.missing: ${missing('missing', "'unknown', 'own'")}`,
    "~.sources.unset: the module in hostPolicy('unset', …) did not call setPolicy() during init; check whether it started",
    `~.sources.broken: ${missing('broken', "'unknown', 'own'")}`,
    '~.sources: a module provides the policy "unknown", but no source has this name; add unknown: { type: hosted }, or remove the module from the backend',
    "~.sources.own.type: must be 'hosted', because a module provides a policy with this name",
    "~.sources.broken.standby: unknown source 'nobody'; allowed: 'deny', 'missing', 'unset', 'own', 'te am'",
    "~.routes[0].sources[1]: unknown source 'teem'; allowed: 'allow', 'deny', 'missing', 'unset', 'own', 'te am', 'broken'",
  ]);
});

it.each<[what: string, name: string]>([
  ['of control characters', 'te\nam\u202e'],
  ['of thousands of characters', 'x'.repeat(5000)],
])('an invalid name is reported in one short line: %s', async (_what, name) => {
  const lines = await problems(configOf({ [name]: HOSTED, own: OWNERSHIP }), {
    provided: hosted(),
  });
  expect(lines[0]).toContain('must have 1 to 64 characters');
  for (const line of lines) {
    expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(line.length).toBeLessThan(1000);
  }
});

describe('the warning about a policy that never abstains', () => {
  const warned = async (
    names: string[],
    combine: string,
    provided = hosted('team'),
  ): Promise<string[]> => {
    const sources: object = { team: HOSTED, own: OWNERSHIP, other: OWNERSHIP };
    const all = [
      ...names,
      ...Object.keys(sources).filter(name => !names.includes(name)),
    ];
    // The last route names the other sources, which would be reported as unused.
    const rest = { prefix: 'x', sources: all, combine: 'first-applicable' };
    const raw = {
      fallback: 'deny',
      sources,
      routes: [{ prefix: '', sources: names, combine }, rest],
    };
    return (await warnings(raw, { provided })).filter(warning =>
      warning.startsWith("'*' (~.routes[0])"),
    );
  };
  const TEAM = "'*' (~.routes[0]): 'team' is hosted and never abstains, so";

  it.each<[sources: string[], combine: string, effect: string]>([
    [
      ['own', 'team'],
      'allow-overrides',
      'if it allows permissions that it does not know, they are allowed here, whatever the other sources answer (allow-overrides)',
    ],
    [
      ['team', 'own'],
      'first-applicable',
      "'own', listed after it, is never asked (first-applicable)",
    ],
    [
      ['team', 'own', 'other'],
      'first-applicable',
      "'own', 'other', listed after it, are never asked (first-applicable)",
    ],
    [
      ['own', 'team', 'other'],
      'first-applicable',
      "'other', listed after it, is never asked (first-applicable)",
    ],
    [
      ['team', 'deny'],
      'first-applicable',
      "'deny', listed after it, is never asked (first-applicable)",
    ],
  ])('names the effect on %j under %s', async (sources, combine, effect) => {
    expect(await warned(sources, combine)).toEqual([`${TEAM} ${effect}`]);
  });

  it.each<[what: string, sources: string[], combine: string]>([
    ['one of those that must agree', ['team', 'own'], 'deny-overrides'],
    ['one of those that must agree', ['own', 'team'], 'deny-overrides'],
    ['alone', ['team'], 'deny-overrides'],
    ['alone', ['team'], 'allow-overrides'],
    ['alone', ['team'], 'first-applicable'],
    ['the last one asked', ['own', 'other', 'team'], 'first-applicable'],
    ['not of the route', ['own', 'other'], 'deny-overrides'],
  ])('is left out if it is %s: %j under %s', async (_what, sources, combine) => {
    expect(await warned(sources, combine)).toEqual([]);
  });

  it.each(['deny-overrides', 'allow-overrides', 'first-applicable'])(
    'is left out for one that a module adds, which may abstain: %s',
    async combine => {
      expect(await warned(['team', 'own'], combine, added('team'))).toEqual([]);
    },
  );

  it('names the effect on a standby, even of a source that is a standby itself', async () => {
    const sources = {
      opa: { ...OPA, standby: 'rbac' },
      rbac: { ...HOSTED, timeout: '500ms', standby: 'team' },
      team: { ...HOSTED, timeout: '500ms' },
    };
    const raw = configOf(sources, {}, { sources: ['opa'] });
    const effect = (of: string): string =>
      `is hosted and never abstains, so if it allows permissions that it does not know, they are allowed while '${of}' is unavailable or overloaded`;
    expect(await warnings(raw, { provided: hosted('rbac', 'team') })).toEqual([
      `~.sources.opa.standby: 'rbac' ${effect('opa')}`,
      `~.sources.rbac.standby: 'team' ${effect('rbac')}`,
    ]);
    expect(await warnings(raw, { provided: added('rbac', 'team') })).toEqual([]);
  });

  it('is left out for a standby that is not a hosted policy', async () => {
    const sources = {
      team: { ...HOSTED, standby: 'opa' },
      opa: { ...OPA, standby: 'own' },
    };
    const raw = configOf({ ...sources, own: OWNERSHIP }, {}, { sources: ['team'] });
    expect(await warnings(raw, { provided: hosted('team') })).toEqual([]);
  });

  it('is given for each policy on each route', async () => {
    const sources = { rbac: HOSTED, team: HOSTED, own: OWNERSHIP };
    const routes = [
      { prefix: 'a', sources: ['rbac', 'team'], combine: 'allow-overrides' },
      { prefix: 'b', sources: ['rbac'] },
      { prefix: 'c', sources: ['own', 'team'], combine: 'allow-overrides' },
    ];
    const given = await warnings(
      { fallback: 'deny', sources, routes },
      { provided: hosted('rbac', 'team') },
    );
    expect(given.map(warning => warning.split(' is hosted')[0])).toEqual([
      "'a' (~.routes[0]): 'rbac'",
      "'a' (~.routes[0]): 'team'",
      "'c' (~.routes[2]): 'team'",
    ]);
  });

  it('follows those about the table alone', async () => {
    const raw = configOf(
      { team: HOSTED, own: OWNERSHIP, more: OWNERSHIP },
      {},
      {
        sources: ['team', 'own'],
        combine: 'allow-overrides',
      },
    );
    expect(
      (await warnings(raw, { provided: hosted('team') })).map(
        each => each.split(':')[0],
      ),
    ).toEqual(['~.sources.more', "'*' (~.routes[0])"]);
  });
});

it('the names of many policies and sources are cut', async () => {
  const names = Array.from({ length: 100 }, (_, index) => `team${index}`);
  const provided = hosted(...names);
  const sources = Object.fromEntries(names.map(name => [name, HOSTED]));
  const [missed] = await problems(configOf({ ...sources, other: HOSTED }), {
    provided,
  });
  expect(missed).toContain("provided: 'team0', ");
  expect(missed).toContain("'team9' and 90 more. Wrap");
  const given = await warnings(
    configOf(sources, {}, { sources: names, combine: 'first-applicable' }),
    {
      provided,
    },
  );
  expect(given).toHaveLength(51);
  expect(given[0]).toMatch(
    / so 'team1', .*'team10' and 89 more, listed after it, are never/,
  );
});

it('one warning is about all the routes of a policy that never abstains', async () => {
  const routes = Array.from({ length: 100 }, (_, index) => ({
    prefix: `p${index}`,
    sources: ['team', 'own'],
    combine: 'allow-overrides',
  }));
  const raw = { fallback: 'deny', sources: { team: HOSTED, own: OWNERSHIP }, routes };
  expect(await warnings(raw, { provided: hosted('team') })).toEqual([
    "'p0' (~.routes[0]): 'team' is hosted and never abstains, so if it allows permissions that it does not know, they are allowed here, whatever the other sources answer (allow-overrides); the same applies to 'p1', 'p2', 'p3', 'p4', 'p5' and 94 more",
  ]);
});

it('one warning is about all the sources with such a standby', async () => {
  const sources = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [
      `opa${index}`,
      { ...OPA, standby: 'team' },
    ]),
  );
  const raw = configOf(
    { ...sources, team: HOSTED },
    {},
    { sources: Object.keys(sources) },
  );
  expect(await warnings(raw, { provided: hosted('team') })).toEqual([
    "~.sources.opa0.standby: 'team' is hosted and never abstains, so if it allows permissions that it does not know, they are allowed while 'opa0' is unavailable or overloaded; the same applies to sources.opa1.standby, sources.opa2.standby, sources.opa3.standby, sources.opa4.standby, sources.opa5.standby and 94 more",
  ]);
});

describe('a hot reload', () => {
  let router: TestRouter | undefined;
  afterEach(() => router?.close());

  /** What is logged about a table that follows that of the start. */
  async function reload(
    provided: ProvidedPolicies,
    start: object,
    next: object,
  ): Promise<string> {
    const logs = new CapturedLogs();
    const logger = logs.logger();
    router = await startRouter(start, {
      logger,
      policies: provided,
      onReload: ({ config: read }) =>
        logger.info(`The changed config is in use: ${[...read.sources.keys()].join()}`),
    });
    provided.close();
    router.change(next);
    return (await logs.waitFor('The changed config is ')).message;
  }

  it('finds the policies that were provided before the start', async () => {
    const message = await reload(
      hosted('team'),
      configOf({ team: HOSTED }),
      configOf({ team: { ...HOSTED, timeout: '500ms' } }),
    );
    expect(message).toBe('The changed config is in use: allow,deny,team');
  });

  it('that leaves out one of them changes nothing', async () => {
    const message = await reload(
      hosted('team'),
      configOf({ team: HOSTED }),
      configOf({ own: OWNERSHIP }),
    );
    expect(message).toContain(
      'permission.policyRouter.sources: a module provides the policy "team", but no source has this name',
    );
  });

  it('that names one that no module provides changes nothing', async () => {
    const message = await reload(
      hosted('team'),
      configOf({ team: HOSTED }),
      configOf({ team: HOSTED, rbac: HOSTED }),
    );
    expect(message).toContain(
      "permission.policyRouter.sources.rbac: no module provides this policy; provided: 'team'.",
    );
  });
});
