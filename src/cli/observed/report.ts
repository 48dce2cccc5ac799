/** What `policy-router observed` prints for people. */
import { escapeInvisible } from '../../lib/quote';
import { counted, grouped } from '../counted';
import type { Io } from '../io';
import type { Observed, ObservedSum } from './sums';

const NOTHING =
  'no decision was made under observe. Is observe configured, and has anybody asked since?';

export function observedText(
  { since, digest, totals, found, sums }: Observed,
  { style }: Pick<Io, 'style'>,
): string {
  const from = since === undefined ? '' : `Since ${since}, by the table ${digest}: `;
  if (totals.observed === 0) return `${from}${NOTHING}`;
  const { wouldBeDenied, wouldBeAllowed, dependsOnResource, leftOut } = totals;
  const changes = [
    [wouldBeDenied, 'would be denied'],
    [dependsOnResource, 'would depend on the resource'],
    [wouldBeAllowed, 'would be allowed'],
  ] as const;
  const parts = changes.flatMap(([count, what]) =>
    count > 0 ? [`${grouped(count)} ${what}`] : [],
  );
  const changed =
    parts.length > 0
      ? `If they were enforced, ${parts.join(', ')}.`
      : 'Enforced, none would change.';
  const more = found - sums.length;
  return [
    `${from}${counted(totals.observed, 'decision was', 'decisions were')} only observed.`,
    style(wouldBeDenied > 0 ? 'red' : 'green', changed),
    ...(sums.length > 0 ? [sums.map(sumText).join('\n')] : []),
    ...(more > 0 ? [`… and ${grouped(more)} more (--limit)`] : []),
    ...(leftOut > 0
      ? [
          `${counted(leftOut, 'decision is', 'decisions are')} in no line, because there are too many different ones.`,
        ]
      : []),
  ].join('\n\n');
}

function sumText(sum: ObservedSum): string {
  const { route, user, permission, result, given, count, last } = sum;
  const who = user === '' ? 'without a user' : user;
  const by = deniedByText(sum);
  return escapeInvisible(
    `${grouped(count)} × ${permission} for ${who}: ${given} → ${result}, route ${route}${by}, last at ${last}`,
  );
}

function deniedByText({ deniedBy, failure }: ObservedSum): string {
  const by = deniedBy === undefined ? '' : `, denied by ${deniedBy}`;
  return failure === undefined ? by : `${by} (${failure}: not by its policy)`;
}
