/** `/authorize` of real backends over HTTP, each in a process of its own. */
import { numberText } from '../number-text';
import { comparisonTable, ratiosIn, type Comparison } from '../comparison';
import {
  atLeast,
  type Outcome,
  type Run,
  type Section,
  type Table,
  type Target,
} from '../section';
import { quantile } from '../statistics';
import { tableForTerminal } from '../text-table';
import { BASELINE, CONTESTANTS, LIMIT, type ContestantId } from './contestants';
import { startField, type Runner } from './field';
import { drive, type Slice } from './load';
import { Answers, requestsOf, type Kind, type Shape } from './questions';
import { sourcesOf } from './sources';

interface Part {
  readonly kind: Kind;
  readonly shapes: readonly Shape[];
  /** Of a full run, after each start. */
  readonly rounds: number;
  /** The same for the shapes of one item, where a contestant is hardly slower than another one. */
  readonly singleRounds: number;
  /** Milliseconds of a full run for each contestant; the first part warms up the others too. */
  readonly warmUp: number;
}

/**
 * How often all backends are started, because no two processes are equally fast: where code and
 * objects lie in memory is another place each time.
 */
const STARTS = 3;

const SINGLE: readonly Shape[] = [1, 16, 64].map(concurrency => ({
  items: 1,
  concurrency,
}));
const TEN: Shape = { items: 10, concurrency: 16 };
const HUNDRED: Shape = { items: 100, concurrency: 4 };

const SHORT = { rounds: 1, singleRounds: 1, warmUp: 600 };

const PARTS: readonly Part[] = [
  {
    kind: 'distinct',
    shapes: [...SINGLE, TEN, HUNDRED],
    rounds: 3,
    singleRounds: 5,
    warmUp: 7500,
  },
  { ...SHORT, kind: 'equal', shapes: [...SINGLE, TEN] },
  { ...SHORT, kind: 'conditional', shapes: [SINGLE[1]!, TEN] },
];

/** Milliseconds. A request of 100 items takes long, so its slices are longer. */
const FULL = { slice: 400, long: 800 };
const QUICK = { slice: 60, long: 120 };
const QUICK_WARM_UP = 200;

/** The slices of one contestant, one per round, by `shapeText`. */
type Results = ReadonlyMap<string, readonly Slice[]>;

/** What has been measured of one contestant. */
interface Measured extends Pick<Runner, 'id' | 'title' | 'contestant'> {
  readonly results: Results;
}

export const authorize: Section = { id: 'authorize', measure };

async function measure(run: Run): Promise<Outcome> {
  const sources = await sourcesOf(run);
  const chosen = CONTESTANTS.filter(
    ({ id }) => run.contestants === undefined || run.contestants.includes(id),
  );
  const starts = run.quick ? 1 : STARTS;
  const measured = PARTS.map(() => new Map<string, Measured>());
  for (let start = 1; start <= starts; start++) {
    run.print(`Starting ${chosen.length} kinds of backends (${start} of ${starts})`);
    const field = await startField(run, chosen, sources);
    try {
      for (const [index, part] of PARTS.entries()) {
        const runners = field.runners.filter(({ contestant }) =>
          contestant.kinds.includes(part.kind),
        );
        const results = await measurePart(run, part, runners);
        for (const runner of runners) addTo(measured[index]!, runner, results);
      }
    } finally {
      await field.close();
    }
  }
  return outcomeOf(run, measured);
}

function addTo(
  measured: Map<string, Measured>,
  { id, title, contestant }: Runner,
  added: ReadonlyMap<string, Results>,
): void {
  const before = measured.get(id)?.results;
  const results = new Map(
    [...added.get(id)!].map(([shape, slices]) => [
      shape,
      [...(before?.get(shape) ?? []), ...slices],
    ]),
  );
  measured.set(id, { id, title, contestant, results });
}

/** @param measured - of each part, by the id of the contestant. */
function outcomeOf(
  run: Run,
  measured: ReadonlyArray<ReadonlyMap<string, Measured>>,
): Outcome {
  const tables: Table[] = [];
  const targets: Target[] = [];
  const wrong: string[] = [];
  for (const [index, part] of PARTS.entries()) {
    const all = [...measured[index]!.values()];
    const comparison = comparisonOf(part, all);
    tables.push(comparisonTable(comparison));
    run.print(`\n${tableForTerminal(tables.at(-1)!)}`);
    if (part.kind === 'distinct') targets.push(...targetsOf(comparison));
    wrong.push(...wrongOf(part, all));
  }
  return { tables, targets, wrong };
}

/** In rounds, every second one in reverse order, so that other work affects all alike. */
async function measurePart(
  run: Run,
  { kind, shapes, rounds, singleRounds, warmUp: fullWarmUp }: Part,
  runners: readonly Runner[],
): Promise<ReadonlyMap<string, Results>> {
  const times = run.quick ? QUICK : FULL;
  const warmUp = run.quick ? QUICK_WARM_UP : fullWarmUp;
  const loads = shapes.map(shape => ({
    ...shape,
    text: shapeText(shape),
    milliseconds: shape.items > 10 ? times.long : times.slice,
    rounds: run.quick ? 1 : shape.items === 1 ? singleRounds : rounds,
  }));
  const mostRounds = Math.max(...loads.map(load => load.rounds));
  const entries = runners.map(runner => ({
    runner,
    slices: new Map(loads.map(({ text }) => [text, [] as Slice[]])),
    answers: new Map(
      loads.map(({ text, items }) => [
        text,
        new Answers(kind, items, runner.contestant.decides),
      ]),
    ),
  }));
  const one = async (
    { runner, answers }: (typeof entries)[number],
    { text, items, concurrency }: (typeof loads)[number],
    milliseconds: number,
  ): Promise<Slice> =>
    drive(
      kind === 'conditional'
        ? { ...runner, token: runner.backend.pluginToken }
        : runner,
      {
        requests: requestsOf(kind, items),
        answers: answers.get(text)!,
        concurrency,
        milliseconds,
      },
    );
  const progress = run.progress(
    `/authorize, ${KINDS[kind].title}`,
    entries.length * loads.reduce((sum, load) => sum + load.rounds + 1, 0),
  );
  for (const load of loads) {
    for (const entry of entries) {
      await one(entry, load, warmUp / loads.length);
      progress.step('warm-up');
    }
  }
  for (let round = 0; round < mostRounds; round++) {
    for (const load of loads.filter(each => round < each.rounds)) {
      for (const entry of round % 2 === 0 ? entries : entries.toReversed()) {
        entry.slices.get(load.text)!.push(await one(entry, load, load.milliseconds));
        progress.step(`round ${round + 1} of ${mostRounds}`);
      }
    }
  }
  return new Map(entries.map(({ runner, slices }) => [runner.id, slices]));
}

const shapeText = ({ items, concurrency }: Shape): string =>
  `${items} ${items === 1 ? 'item' : 'items'}, c=${concurrency}`;

const KINDS: Record<Kind, { title: string; text: string }> = {
  distinct: {
    title: 'every question different',
    text: 'No two questions are the same, so no answer can be shared.',
  },
  equal: {
    title: 'all clients ask the same',
    text: 'Every client sends the same items all the time.',
  },
  conditional: {
    title: 'conditional decisions',
    text: 'A plugin asks on behalf of the user, as the catalog does before it makes a list. All but allow-all answer that the user must own the entity.',
  },
};

function comparisonOf(
  { kind, shapes }: Part,
  measured: readonly Measured[],
): Comparison {
  const { title, text } = KINDS[kind];
  return {
    id: `authorize-${kind}`,
    title: `/authorize, ${title}`,
    text,
    unit: 'requests/s',
    to: [
      { id: BASELINE, name: 'of allow-all' },
      { id: LIMIT, name: 'of bare undici' },
    ],
    more: ['p50 ms', 'p99 ms', 'CPU µs'],
    chart: { of: 'ratio', scale: 'linear' },
    groups: shapes.map(shape => ({
      title: shapeText(shape),
      entries: measured.map(({ id, title: name, contestant, results }) => {
        const slices = results.get(shapeText(shape))!;
        const median = (value: (slice: Slice) => number): number =>
          quantile(slices.map(value), 0.5);
        return {
          id,
          title: name,
          isRouter: contestant.policy === 'router',
          values: slices.map(({ requestsPerSecond }) => requestsPerSecond),
          more: [
            median(({ p50 }) => p50).toFixed(1),
            median(({ p99 }) => p99).toFixed(1),
            numberText(median(({ cpu }) => cpu)),
          ],
        };
      }),
    })),
  };
}

/** The targets that have been measured. */
function targetsOf({ groups }: Comparison): Target[] {
  const target = (of: ContestantId, to: ContestantId, shape: Shape, least: number) => {
    const group = groups.find(({ title }) => title === shapeText(shape))!;
    const ratios = ratiosIn(group, of, to);
    const titleOf = (id: string) => group.entries.find(entry => entry.id === id)?.title;
    return Number.isNaN(quantile(ratios, 0.5))
      ? []
      : [
          atLeast(
            `${titleOf(of)} / ${titleOf(to)}, ${shapeText(shape)}`,
            least,
            quantile(ratios, 0.5),
          ),
        ];
  };
  return [
    ...SINGLE.flatMap(shape => target('opa', LIMIT, shape, 0.9)),
    ...target('opa-batch', BASELINE, TEN, 0.65),
    ...target('opa-batch', BASELINE, HUNDRED, 0.35),
    ...(['native', 'conditions'] as const).flatMap(id =>
      [...SINGLE, TEN].flatMap(shape => target(id, BASELINE, shape, 0.97)),
    ),
    ...SINGLE.flatMap(shape => target('wasm', BASELINE, shape, 0.95)),
    ...target('wasm', BASELINE, TEN, 0.8),
  ];
}

const wrongOf = ({ kind }: Part, measured: readonly Measured[]): string[] =>
  measured.flatMap(({ title, results }) =>
    [...results].flatMap(([text, slices]) => {
      const wrong = slices.reduce((sum, slice) => sum + slice.wrong, 0);
      const answer = slices.find(slice => slice.wrongAnswer !== undefined);
      return wrong === 0
        ? []
        : [
            `${title}: ${wrong} wrong answers to ${kind} questions (${text}), such as ${answer?.wrongAnswer}`,
          ];
    }),
  );
