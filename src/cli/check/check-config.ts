/** Everything that is wrong or odd in a config, each with its place. */
import type { AppConfig } from '../config/app-config';
import { fromHere, Places, type Place } from '../config/places';
import { formatPath, type Path } from '../../config/findings';
import { NOTHING_PROVIDED, type ProvidedPolicyInfo } from '../../config/hosted';
import {
  routingFilePath,
  type RoutingFileContent,
} from '../../config/merge-routing-file';
import { readConfig, type ReadConfig } from '../../config/read';
import { readRoutingFile } from '../../config/routing-file';
import { CONFIG_PATH, ConfigError, type ConfigPlace } from '../../config/types';
import { observeWarnings } from '../../config/observe-warnings';
import type { ConfigWarning, WarningCode } from '../../config/warnings';
import { isJsonObject } from '../../lib/json-object';
import { kindOf } from '../../sources/kinds';
import type { Io } from '../io';
import { SILENT } from '../silent-logger';
import type { HostedPolicies } from '../../sources/hosted/policies';

/** Codes of warnings that only a command has, because only it sees all of app-config. */
export const CHECK_CODES = ['PERMISSION_DISABLED'] as const;
export type CheckCode = WarningCode | (typeof CHECK_CODES)[number];

export interface PlacedProblem {
  /** Undefined if it is in no file, such as a setting that is nowhere. */
  readonly place: Place | undefined;
  /** Such as `permission.policyRouter.sources.opa`, or `routes[0]` in a routing file. */
  readonly path: string;
  readonly message: string;
}

export interface PlacedWarning extends PlacedProblem {
  readonly code: CheckCode;
  /** Where it can be silenced: `routes[0]`, as in the routing file or below `policyRouter`. */
  readonly key: string;
}

export interface Checked {
  readonly errors: readonly PlacedProblem[];
  /** How many there are; those beyond 50 are not listed. */
  readonly errorCount: number;
  readonly warnings: readonly PlacedWarning[];
  /** Undefined if there are errors. */
  readonly read: ReadConfig | undefined;
  /** Relative to the working directory. */
  readonly routingFile: string | undefined;
  /** The sources whose policy is provided by a module of the backend, so it is not checked here. */
  readonly hosted: readonly string[];
}

/** Reads the config as a backend does, and sets up the sources that decide in process. */
export async function checkConfig(
  { config, policyRouter, files }: AppConfig,
  { env }: Pick<Io, 'env'>,
): Promise<Checked> {
  const places = new Places({ files }, env);
  const hosted = hostedIn(policyRouter);
  const path = routingFilePath(policyRouter);
  const file = path === undefined ? undefined : await readFile(path, places);
  const outcome = await read(policyRouter, file?.content, allProvided(hosted));
  const placed = placer(places);
  const found = [
    ...(outcome.error?.problems ?? []).map(({ at, path: where, message }) => ({
      ...placed(at, where),
      message,
    })),
    ...(await setUpProblems(policyRouter)).map(({ keys, message }) => ({
      ...placed({ routingFile: undefined, keys }, ''),
      message,
    })),
  ];
  const errors = sorted([...(file?.problem ? [file.problem] : []), ...found]);
  const unlisted = outcome.error
    ? outcome.error.count - outcome.error.problems.length
    : 0;
  const isUsable = errors.length === 0 && outcome.read !== undefined;
  return {
    errors,
    errorCount: errors.length + unlisted,
    warnings: [
      ...disabled(config, places),
      ...(isUsable ? warningsOf(outcome.read, path) : []).map(
        ({ code, place, subject, message, at }) => {
          const { path: where, ...rest } = placed(at, place);
          const key = at ? formatPath(at.keys) : '';
          const named = subject === undefined ? where : `${where} (${subject})`;
          return { ...rest, code, key, path: named, message };
        },
      ),
    ],
    read: isUsable ? outcome.read : undefined,
    routingFile: path === undefined ? undefined : fromHere(path),
    hosted,
  };
}

/** By file as they are found, and within a file from top to bottom. */
function sorted(problems: readonly PlacedProblem[]): PlacedProblem[] {
  const fileOf = ({ place }: PlacedProblem): string =>
    place && 'file' in place ? place.file : '';
  const files = [...new Set(problems.map(fileOf))];
  const order = (problem: PlacedProblem): readonly [number, number, number] => {
    const { line, column } =
      problem.place && 'file' in problem.place ? problem.place : { line: 0, column: 0 };
    return [files.indexOf(fileOf(problem)), line, column];
  };
  return [...problems].sort((a, b) => {
    const [left, right] = [order(a), order(b)];
    return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
  });
}

/** Those of the config, and those that depend on the day. */
const warningsOf = (
  { config, warnings }: ReadConfig,
  routingFile: string | undefined,
): readonly ConfigWarning[] => [...warnings, ...observeWarnings(config, routingFile)];

interface Outcome {
  readonly read?: ReadConfig;
  readonly error?: ConfigError;
}

async function read(
  raw: unknown,
  file: RoutingFileContent | undefined,
  provided: ProvidedPolicyInfo,
): Promise<Outcome> {
  try {
    return { read: await readConfig(raw, file, provided) };
  } catch (error) {
    if (error instanceof ConfigError) return { error };
    throw error;
  }
}

/** In place of a file that cannot be read, so that the errors of the rest are found. */
const ANY_TABLE = { fallback: 'deny', routes: [{ prefix: '', sources: ['deny'] }] };

async function readFile(
  path: string,
  places: Places,
): Promise<{ readonly content: RoutingFileContent; readonly problem?: PlacedProblem }> {
  try {
    return { content: { path, content: await readRoutingFile(path) } };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [{ message = '' } = {}] = error.problems;
    const content = { path, content: ANY_TABLE };
    const [, line, column] = / at line (\d+), column (\d+)$/.exec(message) ?? [];
    if (line !== undefined) {
      const place = {
        file: fromHere(path),
        line: Number(line),
        column: Number(column),
      };
      const said = message.replace(/ at line \d+, column \d+$/, '');
      return { content, problem: { place, path: '', message: said } };
    }
    // It is not the file but its path that is wrong.
    const place = places.inAppConfig(['routingFile']);
    const hint = message.startsWith('does not exist')
      ? '. The path is relative to the working directory: run the command in the folder in which the backend runs, such as packages/backend'
      : '';
    const problem = {
      place,
      path: `${CONFIG_PATH}.routingFile`,
      message: `${path} ${message}${hint}`,
    };
    return { content, problem };
  }
}

const placer =
  (places: Places) =>
  (
    at: ConfigPlace | undefined,
    path: string,
  ): { readonly place: Place | undefined; readonly path: string } => {
    if (!at) return { place: undefined, path };
    const keys = formatPath(at.keys);
    if (at.routingFile !== undefined) {
      return { place: places.inFile(at.routingFile, at.keys), path: keys };
    }
    return {
      place: places.inAppConfig(at.keys),
      path: `${CONFIG_PATH}${keys === '' ? '' : `.${keys}`}`,
    };
  };

function hostedIn(raw: unknown): string[] {
  if (!isJsonObject(raw) || !isJsonObject(raw.sources)) return [];
  return Object.entries(raw.sources).flatMap(([name, source]) =>
    isJsonObject(source) && source.type === 'hosted' ? [name] : [],
  );
}

/** Which modules a backend has is not known here, nor whether their policies abstain. */
const allProvided = (names: readonly string[]): ProvidedPolicyInfo => ({
  ...NOTHING_PROVIDED,
  names,
});

interface SetUpProblem {
  readonly keys: Path;
  readonly message: string;
}

/** Sets up the sources that need nobody else, also where the rest of the config has errors. */
async function setUpProblems(raw: unknown): Promise<SetUpProblem[]> {
  if (!isJsonObject(raw) || !isJsonObject(raw.sources)) return [];
  const problems: SetUpProblem[] = [];
  for (const [name, source] of Object.entries(raw.sources)) {
    const kind = isJsonObject(source) ? kindOf(source.type) : undefined;
    if (!kind || kind.isRemote) continue;
    const parsed = kind.schema.safeParse(source);
    if (!parsed.success) continue;
    const context = { name, logger: SILENT, policies: NO_POLICIES };
    try {
      const built = await kind.build(parsed.data as never, context);
      await built.close();
    } catch (error) {
      problems.push({ keys: ['sources', name], message: (error as Error).message });
    }
  }
  return problems;
}

/** No local source asks for one. */
const NO_POLICIES: HostedPolicies = {
  get: name => {
    throw new Error(`'${name}' is not provided here`);
  },
};

/** Backstage asks a policy only if permissions are switched on. */
function disabled(config: AppConfig['config'], places: Places): PlacedWarning[] {
  const value: unknown = config.getOptional('permission.enabled');
  if (value === true || value === 'true') return [];
  return [
    {
      code: 'PERMISSION_DISABLED',
      key: 'enabled',
      place: places.ofKeys(['permission', 'enabled']),
      path: 'permission.enabled',
      message: 'is not true, so Backstage asks no policy: everything is allowed',
    },
  ];
}
