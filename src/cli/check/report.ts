/** What `policy-router check` prints, for people and as JSON. */
import { summary } from '../../config/summary';
import type { AppConfig } from '../config/app-config';
import { formatPlace, fromHere, type Place } from '../config/places';
import type { ReadingProblem } from '../config/reading-problems';
import type { Io } from '../io';
import type { Checked, PlacedProblem } from './check-config';
import type { Silenced } from './ignore';

export interface CheckReport {
  /** Whether a backend would start with it. */
  readonly ok: boolean;
  readonly errors: readonly JsonProblem[];
  /** More than are listed if there are over 50. */
  readonly errorCount: number;
  readonly warnings: ReadonlyArray<
    JsonProblem & {
      readonly code: string;
      /** For `--ignore`, behind the code. */
      readonly place: string;
    }
  >;
  /** How many warnings `--ignore` silences. */
  readonly ignored: number;
  /** What `--ignore` names, but does not occur. */
  readonly unusedIgnores: readonly string[];
  /** As at the end of the start line of a backend; absent if there are errors. */
  readonly digest?: string;
  readonly fallback?: 'allow' | 'deny';
  /** How many. */
  readonly routes?: number;
  /** `allow` and `deny` not included. */
  readonly sources?: ReadonlyArray<{ readonly name: string; readonly type: string }>;
  /** The sources whose policy is provided by a module of the backend. */
  readonly notChecked: readonly string[];
  /** That were read, the routing file last. */
  readonly files: readonly string[];
}

/** Line and column are counted from 1. All are null if it is in no file. */
interface JsonProblem {
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** The environment variable that sets the value, if it is in no file. */
  readonly variable?: string;
  readonly path: string;
  readonly message: string;
}

export function checkReport(
  { errors, errorCount, read, routingFile, hosted }: Checked,
  { warnings, ignored, unused }: Silenced,
  { files }: Pick<AppConfig, 'files'>,
  { secrets }: Pick<Io, 'secrets'>,
): CheckReport {
  const inJson = problemIn(secrets);
  const paths = files.flatMap(({ path }) => path ?? []);
  return {
    ok: errors.length === 0,
    errors: errors.map(inJson),
    errorCount,
    warnings: warnings.map(({ code, key, ...rest }) => ({
      code,
      ...inJson(rest),
      place: key,
    })),
    ignored,
    unusedIgnores: unused,
    ...(read
      ? {
          digest: read.digest,
          fallback: read.config.fallback,
          routes: read.config.routes.length,
          sources: [...read.config.sources]
            .map(([name, { type }]) => ({ name, type }))
            .filter(({ name, type }) => name !== type || !CONSTANT.has(name)),
        }
      : {}),
    notChecked: hosted,
    files: [
      ...paths.map(path => fromHere(path)),
      ...(routingFile === undefined ? [] : [secrets.hide(routingFile)]),
    ],
  };
}

const CONSTANT: ReadonlySet<string> = new Set(['allow', 'deny']);

/** Of app-config that cannot be read. */
export const unreadableReport = (
  problems: readonly ReadingProblem[],
  { secrets }: Pick<Io, 'secrets'>,
): CheckReport => ({
  ok: false,
  errors: problems.map(problem => problemIn(secrets)({ ...problem, path: '' })),
  errorCount: problems.length,
  warnings: [],
  ignored: 0,
  unusedIgnores: [],
  notChecked: [],
  files: [],
});

const problemIn =
  (secrets: Io['secrets']) =>
  ({ place, path, message }: PlacedProblem): JsonProblem => {
    const nowhere = { file: null, line: null, column: null };
    const { file, line, column } = place && 'file' in place ? place : nowhere;
    const variable = place && 'variable' in place ? place.variable : undefined;
    return {
      ...{ file, line, column },
      ...(variable === undefined ? {} : { variable }),
      path: secrets.hide(path),
      message: secrets.hide(message),
    };
  };

/** @param checked - undefined if app-config could not be read. */
export function checkText(
  { errors, errorCount, ...report }: CheckReport,
  checked: Checked | undefined,
  { style }: Pick<Io, 'style'>,
): string {
  const { warnings, ignored, unusedIgnores, notChecked, files } = report;
  const [firstWarning] = warnings;
  const unlisted = errorCount - errors.length;
  const lines = [
    ...errors.map(
      error => `${whereOf(error)}${style('red', 'error')}: ${saidOf(error)}`,
    ),
    ...(unlisted > 0 ? [`and ${unlisted} more errors`] : []),
    ...warnings.map(
      warning =>
        `${whereOf(warning)}${style('yellow', 'warning')} ${warning.code}: ${saidOf(warning)}`,
    ),
    ...(firstWarning
      ? [
          `To silence a warning: --ignore ${firstWarning.code}, or only in this place: --ignore '${firstWarning.code}:${firstWarning.place}'`,
        ]
      : []),
    ...unusedIgnores.map(each => `--ignore ${each}: there is no such warning any more`),
  ];
  if (lines.length > 0) lines.push('');
  const counts = [
    ...(errorCount > 0 ? [count(errorCount, 'error')] : []),
    ...(warnings.length > 0 ? [count(warnings.length, 'warning')] : []),
    ...(ignored > 0 ? [`${count(ignored, 'warning')} ignored`] : []),
  ].join(', ');
  if (!checked?.read) return [...lines, counts].join('\n');
  const hosted = notChecked.map(name => `'${name}'`).join(', ');
  return [
    ...lines,
    `${style('green', 'ok')}${counts === '' ? '' : `, ${counts}`}: ${summary(checked.read)}`,
    `Read: ${files.join(', ')}`,
    ...(hosted === ''
      ? []
      : [`Not checked: whether a module of the backend provides ${hosted} (hosted).`]),
  ].join('\n');
}

function whereOf({ file, line, column, variable }: JsonProblem): string {
  if (variable !== undefined) return `${variable}: `;
  const place: Place | undefined =
    file === null ? undefined : { file, line: line!, column: column! };
  return place ? `${formatPlace(place)}: ` : '';
}

const saidOf = ({ path, message }: JsonProblem): string =>
  path === '' ? message : `${path}: ${message}`;

const count = (number: number, noun: string): string =>
  `${number} ${noun}${number === 1 ? '' : 's'}`;
