/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: ['src/routing/**/*.ts', 'src/combining/**/*.ts', 'src/conditions/algebra.ts'],
  testRunner: 'jest',
  jest: { configFile: 'test/mutation/jest.config.js' },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // On a busy machine a slow mutant must not pass for a killed one; endless loops are counted.
  timeoutMS: 60_000,
  thresholds: { high: 100, low: 95, break: 90 },
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: { reportTests: false, logTests: false },
  tempDirName: '.cache/stryker',
};
