/** Lists and single checks agree, on a catalog in SQLite. */
import { listsEqualChecks } from '../../support/lists-equal-checks';
import { describeWithOpa } from '../../support/with-opa';

describeWithOpa('lists and single checks in SQLite', () => {
  const config = { client: 'better-sqlite3', connection: ':memory:' };
  listsEqualChecks('SQLite', async () => ({ config, stop: async () => {} }));
});
