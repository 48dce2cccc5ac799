/** Renders the rows of docs/fault-table.md from what was seen. */
import { timesOf, type Tally } from './expectation';
import type { SceneRow } from './fault';
import type { Sighting } from './sighting';
import { MadePart } from '../support/made-part';

export interface SeenRow {
  readonly row: SceneRow;
  readonly seen: readonly Sighting[];
}

export interface SeenChapter {
  readonly title: string;
  readonly rows: readonly SeenRow[];
}

const PART = new MadePart('docs/fault-table.md', 'test/e2e/faults.test.ts');

export const madePart = (): string => PART.read();

export const writeMadePart = (text: string): void => PART.write(text);

const UNFORMATTED = '<!-- prettier-ignore-start -->';
const FORMATTED = '<!-- prettier-ignore-end -->';

const COLUMNS = [
  'an OPA that',
  'fail-closed',
  'fail-open',
  'HTTP',
  'time',
  'warning in the log',
];

export function render(chapters: readonly SeenChapter[], tally: Tally): string {
  const rows = chapters.reduce((sum, chapter) => sum + chapter.rows.length, 0);
  const caption = [
    `${rows} rows, ${tally.questions} questions: ${tally.wronglyAllowed} wrongly allowed, ` +
      `${tally.brokenBatches} broken batches,`,
    `${tally.pastDeadline} decisions past their deadline.`,
  ];
  const sections = chapters.flatMap(({ title, rows: seenRows }) => [
    `## An OPA that ${title}`,
    '',
    ...table([COLUMNS, COLUMNS.map(() => '---'), ...seenRows.map(cellsOf)]),
    '',
  ]);
  const text = [
    '',
    '',
    ...caption,
    '',
    UNFORMATTED,
    '',
    ...sections,
    FORMATTED,
    '',
    '',
  ];
  return text.join('\n');
}

function cellsOf({ row, seen }: SeenRow): string[] {
  const decisions = (mode: Sighting['mode']): string =>
    among(seen.filter(each => each.mode === mode).map(each => each.decision));
  const open = decisions('open');
  return [
    row.name,
    decisions('closed'),
    row.outcome.failure && open === 'ALLOW' ? `**${open}**` : open,
    among(seen.map(each => each.status)),
    timeOf(row, seen),
    warningOf(row, seen),
  ];
}

const among = (values: readonly unknown[]): string => [...new Set(values)].join(', ');

/** If the operating system decides, every time that is possible. */
function timeOf({ outcome }: SceneRow, seen: readonly Sighting[]): string {
  const allowed = timesOf(outcome);
  const isAllowed = seen.every(({ time }) => allowed.has(time));
  return isAllowed && allowed.size > 1
    ? 'at most the timeout'
    : among(seen.map(({ time }) => time));
}

function warningOf({ outcome }: SceneRow, seen: readonly Sighting[]): string {
  const codes = outcome.failure?.codes ?? [];
  const isAllowed = seen.every(
    ({ failure, warning }) =>
      warning !== undefined &&
      failure?.class === outcome.failure?.class &&
      codes.includes(failure?.code ?? ''),
  );
  if (isAllowed && codes.length > 1) {
    return `\`${outcome.failure?.class} [${codes.join(' or ')}]\``;
  }
  const texts = seen.map(({ failure, warning }) =>
    warning === undefined
      ? failure
        ? `**nothing**, but it is ${failure.class} [${failure.code}]`
        : '-'
      : `\`${warning.replaceAll('|', '\\|')}\``,
  );
  return among(texts);
}

/** Cells are not padded, so that a changed row is one changed line. */
const table = (rows: ReadonlyArray<readonly string[]>): string[] =>
  rows.map(cells => `| ${cells.join(' | ')} |`);
