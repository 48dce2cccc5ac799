import { readConfig } from '../../src/config/read';
import { summary } from '../../src/config/summary';

const opa = { type: 'opa', baseUrl: 'http://127.0.0.1:8181', entrypoint: 'a/b' };

const summaryOf = async (more: object): Promise<string> =>
  summary(
    (
      await readConfig({
        fallback: 'deny',
        sources: { opa },
        routes: [{ prefix: 'catalog', sources: ['opa'] }],
        ...more,
      })
    ).config,
  );

const START = '1 route, 1 source (opa).';
const DENY = 'A permission no route matches gets DENY.';

it.each([
  ['the routes and their sources', {}, `${START} ${DENY}`],
  [
    'several routes and sources, each source once',
    {
      routes: [
        { prefix: 'catalog', sources: ['opa', 'allow'] },
        { prefix: 'scaffolder', sources: ['opa'] },
      ],
    },
    `2 routes, 2 sources (opa, allow). ${DENY}`,
  ],
  [
    'a fallback that allows',
    { fallback: 'allow' },
    `${START} A permission no route matches gets ALLOW (fallback: allow).`,
  ],
  [
    'the standbys',
    {
      sources: {
        opa: { ...opa, standby: 'second' },
        second: { ...opa, standby: 'own' },
        own: { type: 'ownership' },
      },
    },
    `${START} ${DENY} Standby: 'opa' → 'second' → 'own'.`,
  ],
  [
    'conditions that are not verified',
    { verifyConditions: false },
    `${START} ${DENY} Conditions are NOT VERIFIED (verifyConditions: false).`,
  ],
  [
    'what an outage opens',
    { onUnavailable: 'fail-open' },
    `${START} ${DENY} FAIL-OPEN, so an outage allows: source 'opa' on routes[0] 'catalog'.`,
  ],
  [
    'no source that its route closes again',
    {
      onUnavailable: 'fail-open',
      routes: [{ prefix: 'catalog', sources: ['opa'], onUnavailable: 'fail-closed' }],
    },
    `${START} ${DENY}`,
  ],
])('names %s', async (_what, more, expected) => {
  expect(await summaryOf(more)).toBe(expected);
});
