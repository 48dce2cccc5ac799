/** What a row must show, and a tally of what must never happen. */
import { TIMEOUT_CODES, type Outcome, type SceneRow } from './fault';
import type { Sighting } from './sighting';

/** The times that a decision may take: a failure that ends by timeout takes the timeout. */
export function timesOf({ failure }: Outcome): ReadonlySet<Sighting['time']> {
  return new Set(
    (failure?.codes ?? ['']).map(code =>
      TIMEOUT_CODES.has(code) ? 'the timeout' : 'under the timeout',
    ),
  );
}

const siblingOf = ({ asker }: SceneRow): string =>
  asker === 'nobody' ? 'DENY' : 'ALLOW';

/** The expected sighting; where several values are valid, the one that was seen. */
export function expected(row: SceneRow, seen: Sighting): unknown {
  const { failure } = row.outcome;
  const oneOf = <T>(allowed: Iterable<T>, value: T): T | string => {
    const list = [...allowed];
    return list.includes(value) ? value : list.join(' or ');
  };
  return {
    mode: seen.mode,
    shape: seen.shape,
    status: 200,
    decision: row.outcome[seen.mode],
    siblings: seen.shape === 'batch' ? [siblingOf(row), siblingOf(row)] : [],
    failure: failure && {
      class: failure.class,
      code: oneOf(failure.codes, seen.failure?.code ?? ''),
      message: expect.any(String) as string,
    },
    warning: failure && (expect.any(String) as string),
    time: oneOf(timesOf(row.outcome), seen.time),
    inDeadline: true,
  };
}

export interface Tally {
  readonly questions: number;
  readonly wronglyAllowed: number;
  readonly brokenBatches: number;
  readonly pastDeadline: number;
}

export function tally(
  all: ReadonlyArray<{ readonly row: SceneRow; readonly seen: readonly Sighting[] }>,
): Tally {
  const pairs = all.flatMap(({ row, seen }) => seen.map(each => ({ row, each })));
  const count = (is: (pair: (typeof pairs)[number]) => boolean): number =>
    pairs.filter(is).length;
  return {
    questions: pairs.length,
    wronglyAllowed: count(
      ({ row, each }) => each.decision !== 'DENY' && row.outcome[each.mode] === 'DENY',
    ),
    brokenBatches: count(
      ({ row, each }) =>
        each.status !== 200 ||
        each.siblings.some(sibling => sibling !== siblingOf(row)),
    ),
    pastDeadline: count(({ each }) => !each.inDeadline),
  };
}
