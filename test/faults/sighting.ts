/** Observes one question: its answer, its trace and its log line. */
import type { DecisionRecord } from '../../src/trace/record';
import type { Failure } from '../../src/verdict';
import {
  authorize,
  basic,
  onEntity,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { until } from '../support/until';
import { MODES, type Mode, type SceneRow } from './fault';
import { DEADLINE } from './settings';

/** Each question is asked alone, and in a batch between two healthy questions. */
const SHAPES = ['single', 'batch'] as const;
type Shape = (typeof SHAPES)[number];

export interface Sighting {
  readonly mode: Mode;
  readonly shape: Shape;
  /** The HTTP status of /authorize. */
  readonly status: number;
  readonly decision: string | undefined;
  /** The decisions on the rest of the batch. */
  readonly siblings: readonly string[];
  readonly failure: Failure | undefined;
  /** The log line about the failure, from the failure class on. */
  readonly warning: string | undefined;
  readonly time: 'under the timeout' | 'the timeout';
  readonly inDeadline: boolean;
}

/** The place of a scene in the routing table: one route and one source for each mode. */
export interface Place {
  readonly prefix: (mode: Mode) => string;
  readonly source: (mode: Mode) => string;
  readonly timeout: number;
}

/** Timers end up to a millisecond early. */
const SLACK = 1;

export async function observe(
  backend: RunningBackend,
  token: string | undefined,
  place: Place,
  row: SceneRow,
  index: number,
): Promise<Sighting[]> {
  const ofMode = async (mode: Mode): Promise<Sighting[]> => {
    const seen: Sighting[] = [];
    // In sequence, because the second may find what the first left on a connection.
    for (const shape of SHAPES) {
      seen.push(await observeOne(backend, token, place, row, index, mode, shape));
    }
    return seen;
  };
  return (await Promise.all(MODES.map(ofMode))).flat();
}

async function observeOne(
  backend: RunningBackend,
  token: string | undefined,
  place: Place,
  row: SceneRow,
  index: number,
  mode: Mode,
  shape: Shape,
): Promise<Sighting> {
  // Each question has a unique name, so that none shares another's answer.
  const name = `${place.prefix(mode)}.${index}.${shape}.read`;
  const question = row.type === 'basic' ? basic(name, 'read') : onEntity(name, 'read');
  const batch: Question[] =
    shape === 'single'
      ? [question]
      : [
          onEntity(`healthy.before.${name}`, 'read'),
          question,
          basic(`free.after.${name}`, 'read'),
        ];
  const { status, results } = await authorize(backend.url, token, batch);
  const traceOf = (): DecisionRecord | undefined =>
    backend.traces.findLast(each => each.permission?.name === name);
  // The sinks get the record after the answer.
  await until(traceOf, `there is a trace of ${name}`);
  const trace = traceOf()!;
  const failure = stable(trace.failure ?? trace.sources[0]?.failure);
  const milliseconds = trace.sources[0]?.milliseconds ?? 0;
  const at = batch.indexOf(question);
  return {
    mode,
    shape,
    status,
    decision: results[at],
    siblings: results.filter((_result, position) => position !== at),
    failure,
    warning: failure && warningOf(backend, place.source(mode), failure),
    time: milliseconds < place.timeout - SLACK ? 'under the timeout' : 'the timeout',
    inDeadline: trace.milliseconds <= DEADLINE,
  };
}

/** What depends on neither the time nor the rows before. */
const stable = (failure: Failure | undefined): Failure | undefined =>
  failure && {
    class: failure.class,
    code: failure.code,
    message: failure.message,
  };

/** The log has one line for all questions of a source. The page shows the same address in all. */
function warningOf(
  backend: RunningBackend,
  source: string,
  failure: Failure,
): string | undefined {
  const subject = `Source '${source}' is `;
  const start = `${subject}${failure.class} [${failure.code}]: `;
  const line = backend.logs.lines.find(
    ({ level, message }) => level === 'warn' && message.startsWith(start),
  );
  return line?.message
    .slice(subject.length)
    .replace(/ \(permission ".*$/, '')
    .replace(/ \S+:\d+\)$/, ' 127.0.0.1:8181)')
    .replace(/ \/\S+\)$/, ' /run/opa.sock)')
    .replace(/"fault\d+\.\S*"/, 'this permission');
}
