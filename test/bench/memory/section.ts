/** Memory over very many decisions, each mode in a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { curveChart } from '../curves';
import type { Outcome, Run, Section, Target } from '../section';
import { quantile } from '../statistics';
import { tableForTerminal } from '../text-table';
import { sourcesOf } from '../authorize/sources';
import type { Sample, Task } from './process';
import { growthOf } from './growth';

/** Decisions before memory counts: caches fill, and code is compiled. */
const FULL = { warmUp: 100_000, decisions: 1_000_000, every: 20_000 };
const QUICK = { warmUp: 2_000, decisions: 8_000, every: 1_000 };

/** In megabytes, for all decisions: what samples differ by even if nothing is kept. */
const FLAT = 10;

const MODES: ReadonlyArray<readonly [id: string, title: string]> = [
  ['native', 'allow'],
  ['ownership', 'ownership'],
  ['conditions', 'conditions in YAML'],
  ['wasm', 'Wasm'],
  ['opa', 'OPA over TCP'],
  ['opa-unix', 'OPA over a Unix socket'],
  ['opa-batch', 'OPA with batch'],
];

interface Observed {
  readonly title: string;
  readonly samples: readonly Sample[];
}

export const memory: Section = {
  id: 'memory',
  async measure(run): Promise<Outcome> {
    const sources = await sourcesOf(run);
    const sizes = run.quick ? QUICK : FULL;
    const modes = MODES.filter(
      ([id]) => run.contestants === undefined || run.contestants.includes(id),
    );
    const decisions = sizes.warmUp + sizes.decisions;
    const progress = run.progress('memory', (modes.length * decisions) / sizes.every);
    // All at once: no time is measured here, and so all cores are used.
    const observed = await Promise.all(
      modes.map(async ([mode, title]): Promise<Observed> => {
        const task: Task = {
          ...{ sources, mode, decisions, every: sizes.every },
          ...(mode === 'opa-batch'
            ? { items: 100, callers: 4 }
            : { items: 1, callers: 64 }),
        };
        const samples = await samplesOf(task, () =>
          progress.step('all modes at the same time'),
        );
        return { title, samples };
      }),
    );
    return reportOf(run, observed, sizes);
  },
};

async function samplesOf(task: Task, step: () => void): Promise<Sample[]> {
  const extension = __filename.endsWith('.ts') ? 'ts' : 'js';
  const child = spawn(
    process.execPath,
    [
      ...(extension === 'ts' ? ['--require', 'tsx/cjs'] : []),
      join(__dirname, `process.${extension}`),
      JSON.stringify(task),
    ],
    {
      env: { PATH: process.env.PATH, NODE_ENV: 'production' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const samples: Sample[] = [];
  child.on('message', (sample: Sample) => {
    samples.push(sample);
    step();
  });
  const code = await new Promise<number | null>((done, reject) => {
    child.once('error', reject);
    child.once('close', done);
  });
  process.off('exit', endWithUs);
  if (code !== 0) throw new Error(`memory: ${task.mode} has ended with code ${code}`);
  return samples;
}

const MEMORY = { resident: 'that is resident', inUse: 'in use' } as const;

const growthIn = (samples: readonly Sample[], of: 'resident' | 'inUse'): number =>
  growthOf(samples.map(({ decisions, [of]: bytes }) => ({ decisions, bytes })));

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

function reportOf(
  run: Run,
  observed: readonly Observed[],
  { warmUp, decisions }: typeof FULL,
): Outcome {
  const count = decisions.toLocaleString('en-US');
  const title = `Memory over ${count} decisions`;
  const warm = observed.map(({ title: mode, samples }) => ({
    mode,
    samples: samples.filter(sample => sample.decisions > warmUp),
  }));
  const table = {
    id: 'memory',
    title,
    text: `After a warm-up of ${warmUp.toLocaleString('en-US')} decisions; every question is different. Each mode has a process of its own, and memory is read after a garbage collection. Resident is what the operating system gives the process, in use is what JavaScript objects and buffers take of it. The growth is that of a straight line through all samples.`,
    head: [
      '',
      'resident, median MB',
      'least MB',
      'most MB',
      'growth MB',
      'in use, median MB',
      'growth MB',
    ],
    words: 1,
    rows: warm.map(({ mode, samples }) => {
      const resident = samples.map(sample => sample.resident);
      const inUse = samples.map(sample => sample.inUse);
      return [
        mode,
        megabytes(quantile(resident, 0.5)),
        megabytes(Math.min(...resident)),
        megabytes(Math.max(...resident)),
        megabytes(growthIn(samples, 'resident')),
        megabytes(quantile(inUse, 0.5)),
        megabytes(growthIn(samples, 'inUse')),
      ];
    }),
    chart: curveChart({
      label: `${title}: a curve for each mode; the growth of each is in the table`,
      xUnit: 'decisions, with the warm-up',
      yUnit: 'MB resident',
      curves: observed.map(({ title: mode, samples }) => ({
        title: mode,
        points: samples.map(sample => ({
          x: sample.decisions,
          y: sample.resident / 2 ** 20,
        })),
      })),
    }),
  };
  run.print(`\n${tableForTerminal(table)}`);
  return {
    tables: [table],
    targets: warm.flatMap(({ mode, samples }) =>
      (['resident', 'inUse'] as const).map((of): Target => {
        const grown = growthIn(samples, of);
        return {
          what: `Growth of memory ${MEMORY[of]} over ${count} decisions, ${mode}`,
          aim: `≤ ${FLAT} MB`,
          measured: `${megabytes(grown)} MB`,
          isMet: grown <= FLAT * 2 ** 20,
        };
      }),
    ),
    wrong: observed.flatMap(({ title: mode, samples }) => {
      const wrong = samples.at(-1)?.wrong ?? 0;
      return wrong === 0 ? [] : [`memory: ${wrong} wrong decisions of ${mode}`];
    }),
  };
}
