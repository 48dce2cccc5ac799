import { strict, text } from '../lib/fields';
import { MAX_PERMISSION_NAME_LENGTH } from '../request';
import { entityRef } from '../sources/fields';
import { MAX_LISTED_SUMS } from '../trace/observed-sums';
import { count } from './input';

/** The query of `GET observed`. */
export const observedQuery = strict({
  route: text("the label of a route, or 'fallback'").optional(),
  user: entityRef.optional(),
  permission: text('the prefix or the name of a permission')
    .max(MAX_PERMISSION_NAME_LENGTH)
    .optional(),
  limit: count(1, MAX_LISTED_SUMS).optional(),
});
