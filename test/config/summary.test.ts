import { readConfig } from '../../src/config/read';
import { summary } from '../../src/config/summary';
import { config, configOf, opa, OPA, OWNERSHIP, ROUTE } from '../support/read-config';

const summaryOf = (raw: unknown): string => summary(readConfig(raw).config);

it('counts routes and sources, and names the fallback', () => {
  expect(summaryOf(config())).toBe(
    '1 route, 2 sources (opa, ownership). A permission no route matches gets DENY.',
  );
});

it('counts one source in the singular, and each source once', () => {
  const routes = [
    { prefix: 'a', sources: ['ownership'] },
    { prefix: 'b', sources: ['ownership'] },
  ];
  expect(summaryOf(config({ routes }))).toMatch(/^2 routes, 1 source \(ownership\)\. /);
});

it('says what is open, and nothing else', () => {
  const open = {
    fallback: 'allow',
    verifyConditions: false,
    sources: {
      opa: opa('ownership', { onUnavailable: 'fail-open' }),
      ownership: OWNERSHIP,
    },
    routes: [
      { ...ROUTE, prefix: 'a' },
      { ...ROUTE, prefix: 'b', onUnavailable: 'fail-closed' },
    ],
  };
  expect(summaryOf(open)).toBe(
    [
      '2 routes, 2 sources (opa, ownership).',
      'A permission no route matches gets ALLOW (fallback: allow).',
      "Standby: 'opa' → 'ownership'.",
      'Conditions are NOT VERIFIED (verifyConditions: false).',
      "FAIL-OPEN, so an outage allows: source 'opa' on routes[0] 'a'.",
    ].join(' '),
  );
});

it('says what a route opens that its sources do not', () => {
  const raw = configOf(
    { opa: OPA },
    {},
    { sources: ['opa'], onUnavailable: 'fail-open' },
  );
  expect(summaryOf(raw)).toContain(
    "FAIL-OPEN, so an outage allows: source 'opa' on routes[0] '*'.",
  );
});
