/** A short soak, so that the long one is known to run; see docs/soak.md. */
import { describeWithOpa, requireOpa } from '../support/with-opa';
import { runSoak, violationsOf } from './soak';

const SECONDS = 12;

describeWithOpa('a bad day in a few seconds', () => {
  it('has no decision wrong, rejected or late, and leaves nothing behind', async () => {
    const seed = Date.now() % 1_000_000;
    const report = await runSoak({
      binary: requireOpa(),
      seconds: SECONDS,
      seed,
      calm: { low: 400, high: 1200 },
    });
    expect({ seed, violations: violationsOf(report) }).toEqual({
      seed,
      violations: [],
    });

    // It has been a bad one.
    const { tally, incidents, reloads } = report;
    expect(tally.decisions).toBeGreaterThan(2000);
    expect(tally.certain).toBeGreaterThan(200);
    expect(tally.overHttp).toBeGreaterThan(50);
    expect(tally.shared).toBeGreaterThan(20);
    expect([...tally.outcomes.keys()].sort()).toEqual(['ALLOW', 'CONDITIONAL', 'DENY']);
    expect(tally.failures.has('BREAKER_OPEN')).toBe(true);
    for (const count of Object.values(incidents)) expect(count).toBeGreaterThan(0);
    expect(reloads).toBeGreaterThan(5);
  });
});
