import { readConfig } from '../../src/config/read';
import { observedIn, observedPart, observeOf } from '../../src/config/observe';
import { summary } from '../../src/config/summary';
import {
  config,
  expectProblems,
  OWNERSHIP,
  problems,
  ROUTE,
  warnings,
  withRoute,
  type Row,
} from '../support/read-config';

const OBSERVE = { answer: 'allow', until: '2027-01-31' };
const KEYS = 'answer, until';
const DATES =
  "a date such as '2027-01-31' (enforced from 00:00 UTC that day), or a time such as '2027-01-31T09:00:00Z'";

const untilOf = async (until: string): Promise<number | undefined> =>
  (await readConfig(config({ observe: { ...OBSERVE, until } }))).config.observe?.until;

it.each([
  ['2027-01-31', '2027-01-31T00:00:00Z'],
  ['2027-01-31T09:00:00Z', '2027-01-31T09:00:00Z'],
  ['2027-01-31T09:00:00.500+01:00', '2027-01-31T08:00:00.500Z'],
])('until %s is %s', async (until, time) => {
  expect(await untilOf(until)).toBe(Date.parse(time));
});

describe('observe', () => {
  it.each<Row>([
    [
      'needs an end',
      config({ observe: { answer: 'allow' } }),
      `~.observe.until: is required: ${DATES}`,
    ],
    [
      'needs an answer',
      config({ observe: { until: '2027-01-31' } }),
      '~.observe.answer: is required: the name of the source that answers meanwhile',
    ],
    [
      'is an object',
      config({ observe: 'allow' }),
      `~.observe: must be an object of ${KEYS}`,
    ],
    [
      'of the router is not false, as that is the default',
      config({ observe: false }),
      `~.observe: must be an object of ${KEYS}`,
    ],
    [
      'has no other key',
      config({ observe: { ...OBSERVE, from: 1 } }),
      `~.observe: unknown key 'from'; allowed: ${KEYS}`,
    ],
    [
      'names a source',
      config({ observe: { ...OBSERVE, answer: 'rbac' } }),
      "~.observe.answer: unknown source 'rbac'; allowed: 'allow', 'deny', 'opa', 'ownership'",
    ],
    [
      'of a route is an object or false',
      withRoute({ observe: true }),
      `~.routes[0].observe: must be an object of ${KEYS}, or false`,
    ],
    [
      'of a route needs an end',
      withRoute({ observe: { answer: 'allow' } }),
      `~.routes[0].observe: until is required: ${DATES}`,
    ],
    [
      'of a route has no other key, and says all that is wrong',
      withRoute({ observe: { answer: 'allow', until: 'soon', from: 1 } }),
      `~.routes[0].observe.until: must be: ${DATES}, not "soon"`,
      `~.routes[0].observe: unknown key 'from'; allowed: ${KEYS}`,
    ],
    [
      'of a route names a source, and the names are given even if it has no end',
      withRoute({ observe: { answer: 'rbac' } }),
      `~.routes[0].observe: until is required: ${DATES}`,
      "~.routes[0].observe.answer: unknown source 'rbac'; allowed: 'allow', 'deny', 'opa', 'ownership'",
    ],
    [
      'of a routing file cannot be allowed if there is none',
      config({ observeInRoutingFile: true }),
      '~.observeInRoutingFile: has no effect without routingFile; remove it',
    ],
    [
      'of a routing file is allowed or not',
      config({ observeInRoutingFile: 'perhaps' }),
      '~.observeInRoutingFile: must be true or false, not "perhaps"',
    ],
  ])('%s', expectProblems);

  it.each([
    '2027-02-30',
    '2027-1-31',
    '31.01.2027',
    '2027-01-31T09:00:00',
    '2027-01-31 09:00:00Z',
    'tomorrow',
    '',
    20270131,
    null,
  ])('does not end at %j', async until => {
    const [problem, ...others] = await problems(
      config({ observe: { answer: 'allow', until } }),
    );
    expect(others).toEqual([]);
    expect(problem).toContain(`~.observe.until: must be: ${DATES}`);
  });

  it('may have ended', async () => {
    const raw = config({ observe: { ...OBSERVE, until: '2020-01-01' } });
    expect(await problems(raw)).toEqual([]);
  });

  it.each([
    ['of the router', { observe: { ...OBSERVE, answer: 'spare' } }],
    [
      'of a route',
      { routes: [{ ...ROUTE, observe: { ...OBSERVE, answer: 'spare' } }] },
    ],
  ])('%s uses the source that it names', async (_where, observe) => {
    const { sources } = config();
    const raw = config({ sources: { ...sources, spare: OWNERSHIP } });
    expect(await warnings(raw)).toHaveLength(1);
    expect(await warnings({ ...raw, ...observe })).toEqual([]);
  });
});

describe('in a routing file', () => {
  const inFile = (content: object, settings: object = {}) => {
    const { sources } = config();
    return problems(
      { sources, routingFile: './r.yaml', ...settings },
      { file: { path: './r.yaml', content: { fallback: 'deny', ...content } } },
    );
  };
  const REFUSED =
    'is not allowed in a routing file, because anyone who can change this file could then end enforcement; ' +
    "set observeInRoutingFile: true in app-config, or set observe in app-config. Allowed: 'observe: false'";

  it.each<[what: string, observe: unknown, settings: object, ...problems: string[]]>([
    ['observe is refused', OBSERVE, {}, `./r.yaml: routes[0].observe: ${REFUSED}`],
    [
      'observe is refused if that is said',
      OBSERVE,
      { observeInRoutingFile: false },
      `./r.yaml: routes[0].observe: ${REFUSED}`,
    ],
    [
      'observe is allowed if app-config allows it',
      OBSERVE,
      { observeInRoutingFile: true },
    ],
    [
      'the same from an environment variable',
      OBSERVE,
      { observeInRoutingFile: 'true' },
    ],
    ['false is always allowed, as it tightens', false, { observe: OBSERVE }],
  ])('%s', async (_what, observe, settings, ...expected) => {
    const routes = [{ ...ROUTE, observe }];
    expect(await inFile({ routes }, settings)).toEqual(expected);
  });

  it('the whole router cannot be observed', async () => {
    const content = { routes: [ROUTE], observe: OBSERVE };
    expect(await inFile(content, { observeInRoutingFile: true })).toEqual([
      "./r.yaml: unknown key 'observe'; allowed: fallback, routes; observe all routes in app-config",
    ]);
  });
});

describe('what is observed', () => {
  const read = async (changes: object) => (await readConfig(config(changes))).config;
  const other = { answer: 'ownership', until: '2027-02-28' };
  const ROUTES = [
    { ...ROUTE, prefix: 'a' },
    { ...ROUTE, prefix: 'b', observe: false },
    { ...ROUTE, prefix: 'c', observe: other },
    { ...ROUTE, prefix: 'd', observe: OBSERVE },
  ];

  it('is by the route, else by the router', async () => {
    const observed = await read({ observe: OBSERVE, routes: ROUTES });
    const answers = [undefined, ...observed.routes].map(
      route => observeOf(route, observed)?.answer,
    );
    expect(answers).toEqual(['allow', 'allow', undefined, 'ownership', 'allow']);
  });

  it('is counted by way, the earliest end first', async () => {
    const observed = observedIn(await read({ observe: OBSERVE, routes: ROUTES }));
    expect(observed.map(each => `${each.answer}: ${observedPart(each)}`)).toEqual([
      'allow: 2 routes and the fallback',
      'ownership: 1 route',
    ]);
    expect(observedIn(await read({ routes: [ROUTES[0]] }))).toEqual([]);
  });

  const BEFORE = Date.parse('2027-01-30');
  const AFTER = Date.parse('2027-01-31');
  const line = async (changes: object, now: number): Promise<string> =>
    summary(await readConfig(config(changes)), now);

  it('is in the start line, loudly, until it ends', async () => {
    const changes = { observe: OBSERVE, routes: ROUTES };
    expect(await line(changes, BEFORE)).toContain(
      "OBSERVING until 2027-01-31T00:00:00.000Z, so decisions of 2 routes and the fallback are recorded but NOT ENFORCED: 'allow' answers; " +
        "until 2027-02-28T00:00:00.000Z, so decisions of 1 route are recorded but NOT ENFORCED: 'ownership' answers.",
    );
    const later = await line(changes, AFTER);
    expect(later).toContain('OBSERVING until 2027-02-28');
    expect(later).not.toContain('2027-01-31');
    expect(await line({ routes: [ROUTES[1]] }, BEFORE)).not.toContain('OBSERVING');
  });

  it('takes no more than a few lines, in however many ways', async () => {
    const routes = Array.from({ length: 500 }, (_, index) => ({
      ...ROUTE,
      prefix: `a${index}`,
      observe: { answer: 'allow', until: `${2100 + index}-01-31` },
    }));
    const text = await line({ routes }, BEFORE);
    expect(text).toContain('and 490 more.');
    expect(text.length).toBeLessThan(2000);
  });
});

it('the digest is another one, whoever answers and whenever it ends', async () => {
  const digests = await Promise.all(
    [
      {},
      { observe: OBSERVE },
      { observe: { ...OBSERVE, answer: 'deny' } },
      { observe: { ...OBSERVE, until: '2027-02-01' } },
      { routes: [{ ...ROUTE, observe: OBSERVE }] },
      { observe: OBSERVE, routes: [{ ...ROUTE, observe: false }] },
    ].map(async changes => (await readConfig(config(changes))).digest),
  );
  expect(new Set(digests).size).toBe(digests.length);
});

it('the digest is the same for the same time', async () => {
  const [day, time] = await Promise.all(
    ['2027-01-31', '2027-01-31T01:00:00+01:00'].map(async until => {
      const raw = config({ observe: { ...OBSERVE, until } });
      return (await readConfig(raw)).digest;
    }),
  );
  expect(day).toBe(time);
});
