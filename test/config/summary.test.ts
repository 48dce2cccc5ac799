import { readConfig } from '../../src/config/read';
import { summary } from '../../src/config/summary';

const opa = { type: 'opa', baseUrl: 'http://127.0.0.1:8181', entrypoint: 'a/b' };

/** The line ends with the digest, whatever it is. */
function withoutDigest(line: string): string {
  expect(line).toMatch(/ Digest [0-9a-f]{12}\.$/);
  return line.slice(0, line.lastIndexOf(' Digest '));
}

const summaryOf = async (more: object): Promise<string> =>
  withoutDigest(
    summary(
      await readConfig({
        fallback: 'deny',
        sources: { opa },
        routes: [{ prefix: 'catalog', sources: ['opa'] }],
        ...more,
      }),
    ),
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
    `${START} ${DENY} FAIL-OPEN, so an outage allows: source 'opa' on 'catalog'.`,
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

it('names at most ten of each', async () => {
  const names = Array.from({ length: 1000 }, (_, index) => `opa${index}`);
  const open = await summaryOf({
    onUnavailable: 'fail-open',
    sources: {
      ...Object.fromEntries(names.map(name => [name, { ...opa, standby: 'own' }])),
      own: { type: 'ownership' },
    },
    routes: [{ prefix: 'a', sources: names }],
  });
  const first = (format: (name: string) => string, separator: string): string =>
    names.slice(0, 10).map(format).join(separator);
  expect(open).toBe(
    `1 route, 1000 sources (${first(name => name, ', ')} and 990 more). ${DENY} ` +
      `Standby: ${first(name => `'${name}' → 'own'`, '; ')} and 990 more. ` +
      `FAIL-OPEN, so an outage allows: ${first(name => `source '${name}' on 'a'`, '; ')} and 990 more.`,
  );
});

it('shows the beginning of a long chain of standbys', async () => {
  const links = Array.from({ length: 100 }, (_, index) => [
    `opa${index}`,
    { ...opa, timeout: '1ms', standby: index === 99 ? 'deny' : `opa${index + 1}` },
  ]);
  const said = await summaryOf({
    sources: Object.fromEntries(links) as object,
    routes: [{ prefix: 'a', sources: ['opa0'] }],
  });
  expect(said).toContain("Standby: 'opa0' → 'opa1' → ");
  expect(said).toContain("'opa9' → …");
  expect(said.length).toBeLessThan(300);
});
