/** config/least-privilege.yaml as a user would apply it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const text = readFileSync(join(__dirname, '../../config/least-privilege.yaml'), 'utf8');

export interface Table {
  readonly fallback: string;
  readonly routes: ReadonlyArray<{ readonly prefix: string }>;
}

export const table = parse(text) as Table;

/** The app-config that the comment at its top says to merge. */
export const appConfig = parse(
  [...text.matchAll(/^# {3}(.*)$/gm)].map(([, line]) => line).join('\n'),
) as { permission: { policyRouter: { routingFile: string; sources: object } } };

export const { policyRouter } = appConfig.permission;

const commentedRow = /^ {2}# (- prefix: \S+\.read)\n {2}# {3}(sources: \[allow\])$/gm;

/** The table with the commented rows before it instead of the last row, which allows every read. */
export const closedTable: Table = (() => {
  const opened = parse(text.replace(commentedRow, '  $1\n    $2')) as Table;
  return { ...opened, routes: opened.routes.slice(0, -1) };
})();
