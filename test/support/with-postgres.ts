import { noPostgres } from './postgres';

/** Skipped with a message if there is no PostgreSQL; in CI that is a failure. */
export const describeWithPostgres: jest.Describe = (() => {
  if (noPostgres === undefined || process.env.CI) return describe;
  process.stdout.write(`\n!!! Tests against PostgreSQL are SKIPPED: ${noPostgres}\n`);
  return describe.skip;
})();
