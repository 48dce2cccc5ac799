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
