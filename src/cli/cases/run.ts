/** Runs the cases of test files. */
import type { Applied } from '../../operations/applied';
import { explainAnswer } from '../../operations/explain-answer';
import type { Explained } from '../../operations/explain';
import type { Explanation } from '../explanation';
import { CliError } from '../exit-code';
import { judge, FALLBACK, type Result, type TableFacts } from './judge';
import type { LoadedFile } from './load';
import { questionsOf, type Question } from './questions';
import { reachOf, type Reach } from './reach';
import { CaseRouters, type Answered, type CaseRoutersOptions } from './routers';

export interface Outcome {
  readonly question: Question;
  readonly file: string;
  readonly line: number;
  readonly result: Result;
  /** The label of the route, or `fallback`; undefined if it was decided before routing. */
  readonly route: string | undefined;
  /** Why it fails; empty if it passes. */
  readonly problems: readonly string[];
  /** As `POST explain` answers; made when somebody reads it. */
  explanation(): Explanation;
  /** Time taken, in milliseconds. */
  readonly milliseconds: number;
}

export interface Run {
  readonly outcomes: readonly Outcome[];
  readonly reach: Reach;
  /** Stand-ins that were not used, because an OPA was asked in their place. */
  readonly unused: readonly string[];
}

export interface RunOptions extends Omit<CaseRoutersOptions, 'types'> {
  readonly facts: TableFacts;
  /** Only cases whose name contains it, in any letter case. */
  readonly filter?: string | undefined;
  /** Told after every case. */
  readonly progress?: ((done: number, of: number) => void) | undefined;
}

/**
 * @throws ConfigError with every problem of the config; CliError if no case is left.
 */
export async function runCases(
  files: readonly LoadedFile[],
  options: RunOptions,
): Promise<Run> {
  const { facts, filter = '', opa, progress = () => {} } = options;
  const isWanted = ({ name }: Question): boolean =>
    name.toLowerCase().includes(filter.toLowerCase());
  const all = files.map(loaded => ({
    loaded,
    questions: questionsOf(loaded.file, loaded.path).filter(isWanted),
  }));
  const count = all.reduce((sum, { questions }) => sum + questions.length, 0);
  if (count === 0) throw new CliError(`no case has '${filter}' in its name`);
  const outcomes: Outcome[] = [];
  const reached = new Set<string | number>();
  const unused = new Set<string>();
  for (const { loaded, questions } of all) {
    const routers = new CaseRouters({ ...options, types: facts.types }, loaded);
    try {
      for (const question of questions) {
        const began = performance.now();
        const answered = await routers.answer(question);
        const decided = await outcomeOf(question, answered, facts);
        const milliseconds = performance.now() - began;
        const { route, routeIndex } = answered.record;
        // Without its sources a case shows nothing of what the route decides.
        if (answered.missing.length === 0)
          reached.add(route === FALLBACK ? FALLBACK : (routeIndex ?? ''));
        if (opa.url !== undefined) addUnused(question, facts, unused);
        const line = loaded.lineOf(question.index);
        outcomes.push({ ...decided, file: loaded.path, line, milliseconds });
        progress(outcomes.length, count);
      }
    } finally {
      await routers.close();
    }
  }
  return { outcomes, reach: reachOf(facts.labels, reached), unused: [...unused] };
}

/** Most cases pass; only of those that fail each condition is evaluated too. */
async function outcomeOf(
  question: Question,
  answered: Answered,
  facts: TableFacts,
): Promise<Omit<Outcome, 'file' | 'line' | 'milliseconds'>> {
  const { record } = answered;
  const atOnce = judge(question, answered, undefined, facts);
  const isDone = atOnce?.problems.length === 0;
  const applied = isDone ? undefined : await answered.apply();
  const { result, problems } = isDone
    ? atOnce
    : judge(question, answered, applied, facts)!;
  return {
    question,
    result,
    route: record.route,
    problems,
    explanation: () => explanationOf(question, answered, applied),
  };
}

function explanationOf(
  { entity }: Question,
  { record, notes }: Answered,
  applied: Applied | undefined,
): Explanation {
  const explained: Explained = {
    record,
    applied,
    result: applied?.kind === 'applied' ? applied.result : record.result,
    origin: 'given',
    recorded: undefined,
    notes,
  };
  return explainAnswer(explained, true, entity) as unknown as Explanation;
}

function addUnused(
  { standIns }: Question,
  { types }: TableFacts,
  unused: Set<string>,
): void {
  for (const [source, result] of standIns) {
    if (types.get(source) === 'opa' && result !== 'unavailable') unused.add(source);
  }
}
