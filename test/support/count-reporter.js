'use strict';

/** Ends a run with `N passed, N failed` on a separate line, and says why tests were skipped. */
class CountReporter {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests;
    const noOpa = process.env.POLICY_ROUTER_TEST_NO_OPA;
    if (skipped > 0 && noOpa !== undefined) {
      console.log(`\n!!! ${skipped} tests against a real OPA were SKIPPED: ${noOpa}\n`);
    }
    const skips = skipped > 0 ? `, ${skipped} skipped` : '';
    console.log(`${results.numPassedTests} passed, ${failed} failed${skips}`);
  }
}

module.exports = CountReporter;
