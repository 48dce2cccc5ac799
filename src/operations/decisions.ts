import { NotFoundError } from '@backstage/errors';
import type { z } from 'zod';
import { choice, strict, text } from '../lib/fields';
import { MAX_PERMISSION_NAME_LENGTH } from '../request';
import type { Router } from '../router';
import { count } from './input';
import { entityRef } from '../sources/fields';
import { detailOf, MAX_SELECTED, select, summaryOf } from '../trace/recent';
import { sentenceOf } from '../trace/sentence';

/** The query of `GET decisions`. */
export const decisionsQuery = strict({
  after: count(0, Number.MAX_SAFE_INTEGER).optional(),
  result: choice(['ALLOW', 'DENY', 'CONDITIONAL']).optional(),
  user: entityRef.optional(),
  permission: text('the prefix or the name of a permission')
    .max(MAX_PERMISSION_NAME_LENGTH)
    .optional(),
  outage: choice(['true', 'false']).optional(),
  observed: choice(['true', 'false']).optional(),
  limit: count(1, MAX_SELECTED).optional(),
});

/** Of the recent decisions: those that fit, newest last. */
export function decisionsAnswer(
  { outage, observed, ...selection }: z.output<typeof decisionsQuery>,
  { recent, inUse }: Pick<Router, 'recent' | 'inUse'>,
): object {
  const all = recent.all();
  const selected = select(all, {
    ...selection,
    outage: asBoolean(outage),
    observed: asBoolean(observed),
  });
  return {
    /** How many are kept, at most. */
    limit: inUse.read.config.visibility.recentDecisions,
    kept: all.length,
    decisions: selected.map(summaryOf),
  };
}

const asBoolean = (text: 'true' | 'false' | undefined): boolean | undefined =>
  text === undefined ? undefined : text === 'true';

/** @throws NotFoundError (HTTP 404) if it is no longer kept. */
export function decisionAnswer(
  number: string,
  { recent }: Pick<Router, 'recent'>,
): object {
  const decision = /^\d{1,15}$/.test(number) ? recent.get(Number(number)) : undefined;
  if (!decision) {
    throw new NotFoundError(
      'this decision is no longer kept, or not yet made (permission.policyRouter.recentDecisions)',
    );
  }
  const record = { ...decision, sources: [...decision.sources] };
  return { decision: { ...detailOf(decision), sentence: sentenceOf(record) } };
}
