import type { z } from 'zod';
import { strict, text } from '../lib/fields';
import { MAX_PERMISSION_NAME_LENGTH } from '../request';
import type { Router } from '../router';
import { MAX_DIFFERENCES, type Difference } from '../shadow/kept';
import { entityRef } from '../sources/fields';
import { timeOf } from '../trace/facts';
import { nameTest } from '../prefix';
import { count } from './input';

/** The query of `GET shadow`. */
export const shadowQuery = strict({
  route: text('the label of a route').optional(),
  user: entityRef.optional(),
  permission: text('the prefix or the name of a permission')
    .max(MAX_PERMISSION_NAME_LENGTH)
    .optional(),
  limit: count(1, MAX_DIFFERENCES).optional(),
});

/** Counts, and the differences that fit, newest last; if there are more than the limit, the newest. */
export function shadowAnswer(
  { route, user, permission, limit = MAX_DIFFERENCES }: z.output<typeof shadowQuery>,
  { shadows }: Pick<Router, 'shadows'>,
): object {
  const { status } = shadows;
  const isNamed = permission === undefined ? undefined : nameTest(permission);
  const ref = user?.toLocaleLowerCase('en-US');
  const fitting = status.differences.filter(
    each =>
      (route === undefined || each.route === route) &&
      (ref === undefined || each.user?.toLocaleLowerCase('en-US') === ref) &&
      (!isNamed || (each.permission && isNamed(each.permission.name))),
  );
  return {
    shadows: Object.fromEntries(status.shadows),
    since: status.since.toISOString(),
    counts: status.counts.filter(each => route === undefined || each.route === route),
    differences: fitting.slice(-limit).map(answered),
  };
}

const answered = (difference: Difference): object => ({
  ...difference,
  at: timeOf(difference.at),
});
