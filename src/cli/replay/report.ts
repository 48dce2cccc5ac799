/** What `policy-router replay` prints for people. */
import { escapeInvisible } from '../../lib/quote';
import { someOf } from '../../lib/bounded';
import { counted, grouped } from '../counted';
import type { Io } from '../io';
import type { ChangeGroup, Replayed } from './tally';

export function replayText(replayed: Replayed, { style }: Pick<Io, 'style'>): string {
  const { groups, groupsLeftOut, duringOutage, undetermined } = replayed;
  return [
    [readLine(replayed), ...comparedLines(replayed)].join('\n'),
    style(
      replayed.changed + replayed.otherRoute > 0 ? 'red' : 'green',
      changesLine(replayed),
    ),
    ...groups.map(groupText),
    ...moreLine(groupsLeftOut),
    ...undeterminedText(undetermined),
    ...outageText(duringOutage),
  ].join('\n\n');
}

function readLine({ read, skipped }: Replayed): string {
  const { otherLines, otherEvents, unreadable } = skipped;
  const parts = [
    ...(otherLines > 0 ? [`${counted(otherLines, 'line')} of others`] : []),
    ...(otherEvents > 0 ? [counted(otherEvents, 'other audit event')] : []),
    ...(unreadable > 0
      ? [`${counted(unreadable, 'decision')} without a readable permission`]
      : []),
  ];
  const decisions = `${counted(read, 'decision')} read`;
  return parts.length > 0
    ? `${decisions}. Skipped: ${parts.join(', ')}.`
    : `${decisions}.`;
}

function comparedLines({
  decidedAgain,
  byRoute,
  undetermined,
  duringOutage,
}: Replayed): string[] {
  const { withoutRefs, withoutConditions } = byRoute;
  const line = (count: number, what: string): string[] =>
    count > 0 ? [`  ${grouped(count)} ${what}`] : [];
  return [
    ...line(decidedAgain, 'decided again'),
    ...line(
      withoutRefs,
      "compared by route only: their lines do not have the user's refs",
    ),
    ...line(
      withoutConditions,
      'compared by route only: their lines do not have the conditions',
    ),
    ...line(undetermined.count, 'undetermined'),
    ...line(duringOutage.read, 'recorded during an outage, see below'),
  ];
}

function changesLine({
  changed,
  otherRoute,
  sameByOtherRoute,
  undetermined,
}: Replayed): string {
  const parts = [
    ...(changed > 0 ? [`${counted(changed, 'decision')} would change`] : []),
    ...(otherRoute > 0
      ? [
          `${counted(otherRoute, 'decision')} would be made by another route, with an unknown result`,
        ]
      : []),
  ];
  const same =
    sameByOtherRoute > 0
      ? ` ${counted(sameByOtherRoute, 'decision')} would be made by another route, with the same result.`
      : '';
  if (parts.length > 0) return `${parts.join('; ')}.${same}`;
  return undetermined.count > 0
    ? `Nothing else would change.${same}`
    : `Nothing would change.${same}`;
}

const moreLine = (leftOut: number): string[] =>
  leftOut > 0 ? [`… and ${counted(leftOut, 'more group')} (--limit)`] : [];

function groupText(group: ChangeGroup): string {
  const { permission, from, to, by, conditionsDiffer, count, example } = group;
  const result = `${from.result} → ${to.result ?? 'unknown'}`;
  const sources = by.length > 0 ? `, by ${someOf(by)}` : '';
  const { user = 'without a user', at, sentence } = example;
  return [
    `${grouped(count)} × ${escapeInvisible(permission)}: ${result}${conditionsDiffer ? ', with other conditions' : ''}`,
    `  ${routesText(from.route, to.route)}${sources}`,
    `  such as ${escapeInvisible(user)} at ${escapeInvisible(at)}`,
    ...(sentence === undefined ? [] : [`  ${sentence}`]),
  ].join('\n');
}

/** `route '*' → 'catalog'` */
function routesText(before: string | undefined, after: string | undefined): string {
  const [from, to] = [routeText(before), routeText(after)];
  return from === to ? `route ${to}` : `route ${from} → ${to}`;
}

const routeText = (label: string | undefined): string =>
  label === undefined ? 'none' : escapeInvisible(label);

function undeterminedText({ count, reasons }: Replayed['undetermined']): string[] {
  if (count === 0) return [];
  const lines = reasons.map(each => `  ${grouped(each.count)}: ${each.why}`);
  const isMissing = reasons.some(({ why }) => why.startsWith('it needs '));
  return [
    [
      `${counted(count, 'decision is', 'decisions are')} undetermined:`,
      ...lines,
      ...(isMissing ? [STAND_IN] : []),
    ].join('\n'),
  ];
}

const STAND_IN =
  'Say what a source that cannot be asked here answers: --stand-in <name>=allow, deny or not-applicable. ' +
  'For sources of type opa name an OPA: --opa <url>, or --policies <folder>.';

function outageText(outage: Replayed['duringOutage']): string[] {
  const { read, undetermined, different, groups, groupsLeftOut } = outage;
  if (read === 0) return [];
  const unknown = undetermined > 0 ? `; ${grouped(undetermined)} undetermined` : '';
  return [
    `Recorded during an outage: ${counted(read, 'decision')}. What was answered then need not be what the policy says, ` +
      `so a difference is no change of the table. Different now: ${grouped(different)}${unknown}.`,
    ...groups.map(groupText),
    ...moreLine(groupsLeftOut),
  ];
}
