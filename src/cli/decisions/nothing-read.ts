import { someNames } from '../../lib/bounded';
import { counted } from '../counted';
import type { Skipped } from './recorded';

/** For files in which no decision was found. */
export const nothingRead = (
  paths: readonly string[],
  { otherLines, otherEvents, unreadable }: Skipped,
): string =>
  `${someNames(paths)} ${paths.length === 1 ? 'has' : 'have'} no decision (skipped: ${counted(otherLines + otherEvents + unreadable, 'line')}). ` +
  'Backstage logs decisions as JSON in production, all of them if permission.policyRouter.audit is all';
