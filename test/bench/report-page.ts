/** The part of docs/performance.md that `npm run bench` writes, and its charts. */
import { writeFileSync } from 'node:fs';
import { measuredOn, tableText, unformatted, updatePage, type Machine } from './page';
import type { Outcome, Table, Target } from './section';

export function writeReport(outcomes: readonly Outcome[], machine: Machine): void {
  updatePage('bench', renderReport(outcomes, machine));
  for (const table of outcomes.flatMap(({ tables }) => tables)) {
    writeFileSync(`docs/${chartFile(table)}`, table.chart);
  }
}

/** Beside the page. */
const chartFile = ({ id }: Table): string => `performance-${id}.svg`;

export function renderReport(outcomes: readonly Outcome[], machine: Machine): string {
  const targets = outcomes.flatMap(each => each.targets);
  const tables = outcomes.flatMap(each => each.tables);
  return [
    measuredOn(machine),
    '',
    unformatted(
      [
        '### The targets',
        '',
        ...targetTable(targets),
        ...tables.flatMap(table => [
          '',
          `### ${table.title}`,
          '',
          table.text,
          '',
          `![Chart: ${table.title}](${chartFile(table)})`,
          '',
          ...tableText(table.head, table.rows, table.words),
        ]),
      ].join('\n'),
    ),
  ].join('\n');
}

export const TARGET_HEAD = ['target', 'aim', 'measured', ''] as const;

export const targetRows = (targets: readonly Target[]): string[][] =>
  targets.map(({ what, aim, measured, isMet }) => [
    what,
    aim,
    measured,
    isMet ? 'met' : 'not met',
  ]);

const targetTable = (targets: readonly Target[]): string[] =>
  tableText(
    TARGET_HEAD,
    targetRows(targets).map(row =>
      row.at(-1) === 'met' ? row : [...row.slice(0, -1), '**not met**'],
    ),
  );
