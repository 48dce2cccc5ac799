/** Lists and single checks agree, on a catalog in SQLite. */
import { SQLITE } from '../../support/app-config';
import { listsEqualChecks } from '../../support/lists-equal-checks';
import { describeWithOpa } from '../../support/with-opa';

describeWithOpa('lists and single checks in SQLite', () => {
  listsEqualChecks('SQLite', async () => ({ config: SQLITE, stop: async () => {} }));
});
