/** The proof of docs/scaling.md in short: every change once. `npm run scaling` takes longer. */
import { describeWithOpa, requireOpa } from '../support/with-opa';
import { describeWithPostgres } from '../support/with-postgres';
import { runProof } from './proof';
import type { Measured } from './report';

/** Seven starts of backends and OPAs, on a machine that may be busy. */
const TIMEOUT = 600_000;

describeWithPostgres('two replicas of Backstage on one PostgreSQL', () => {
  describeWithOpa('and two OPAs that pull signed bundles', () => {
    it(
      'give no wrong answer while policies and tables change, and an OPA and a replica are killed',
      async () => {
        const seed = Date.now() % 1_000_000;
        const report = await runProof({
          binary: requireOpa(),
          seed,
          polling: 2,
          answers: 50,
          isAgain: () => false,
        });
        const { violations, wrong, rejected, measured } = report;
        expect({ seed, violations, wrong, rejected }).toEqual({
          seed,
          violations: [],
          wrong: 0,
          rejected: 0,
        });
        expect(report.certain).toBeGreaterThan(500);
        expect(report.lists).toBeGreaterThan(10);
        const times = (what: Measured['what']): number =>
          measured.filter(each => each.what === what).length;
        // Both replicas, and then the one whose OPA, or which itself, was not killed.
        expect([times('bundle'), times('routing file')]).toEqual([3, 3]);
      },
      TIMEOUT,
    );
  });
});
