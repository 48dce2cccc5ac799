/** Lists and single checks agree, on a catalog in PostgreSQL. */
import { listsEqualChecks } from '../../support/lists-equal-checks';
import { startPostgres } from '../../support/postgres';
import { describeWithPostgres } from '../../support/with-postgres';
import { describeWithOpa } from '../../support/with-opa';

describeWithOpa('lists and single checks', () => {
  describeWithPostgres('in PostgreSQL', () => {
    listsEqualChecks('PostgreSQL', startPostgres);
  });
});
