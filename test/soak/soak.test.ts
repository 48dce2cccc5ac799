/** A short soak that proves that the long one works; see docs/soak.md. */
import { describeWithOpa, requireOpa } from '../support/with-opa';
import { runSoak, violationsOf, type SoFar } from './soak';

const SECONDS = 12;

/** What must have happened; the run continues until it has. */
const coverage = ({ tally, incidents, reloads }: SoFar) => ({
  'more than 2000 decisions': tally.decisions > 2000,
  'more than 200 certain ones': tally.certain > 200,
  'more than 50 over HTTP': tally.overHttp > 50,
  'more than 20 shared ones': tally.shared > 20,
  'every outcome': ['ALLOW', 'CONDITIONAL', 'DENY'].every(each =>
    tally.outcomes.has(each),
  ),
  'an open breaker': tally.failures.has('BREAKER_OPEN'),
  'a big batch': tally.bigBatches > 0,
  'every incident': Object.values(incidents).every(count => count > 0),
  'more than 5 reloads': reloads > 5,
});

const missing = (soFar: SoFar): string[] =>
  Object.entries(coverage(soFar)).flatMap(([what, is]) => (is ? [] : [what]));

describeWithOpa('a soak of a few seconds', () => {
  it('has no wrong, rejected or late decision, and leaks nothing', async () => {
    const seed = Date.now() % 1_000_000;
    const report = await runSoak({
      binary: requireOpa(),
      seconds: SECONDS,
      seed,
      calm: { low: 400, high: 1200 },
      isEnough: soFar => missing(soFar).length === 0,
    });
    expect({ seed, violations: violationsOf(report) }).toEqual({
      seed,
      violations: [],
    });
    expect({ seed, missing: missing(report) }).toEqual({ seed, missing: [] });
    const outcomes = [...report.tally.outcomes.keys()].sort();
    expect(outcomes).toEqual(['ALLOW', 'CONDITIONAL', 'DENY']);
  });
});
