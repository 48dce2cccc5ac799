import { rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { SoakBackend } from './backend';
import type { BusyNeighbour } from './neighbour';
import { ODD_FILES, putBack, replaceByOdd, type OddFile } from './odd-files';
import { Bag, type Random } from './random';
import type { SoakRouter } from './router';
import { BIG_INVALID_FILES, bigTable } from './tables';
import type { UnsteadyOpa } from './unsteady-opa';
import { INVALID_FILES, routingFile, SERVER_VERSIONS, type TableName } from './world';

export interface ChaosTargets {
  readonly router: SoakRouter;
  readonly backend: SoakBackend;
  readonly opas: Readonly<Record<'main' | 'second', UnsteadyOpa>>;
  /** The routing file of the router. */
  readonly file: string;
  readonly neighbour: BusyNeighbour;
  readonly random: Random;
  /** Called with what went wrong besides decisions. */
  readonly report: (violation: string) => void;
}

/** Milliseconds. */
const PAUSES = {
  /** Between two changes of the routing file. */
  table: 1000,
  /** Between two changes of the backend's routing file. */
  backendTable: 2500,
  /** Between two replacements of all sources. */
  sources: 9000,
  /** How long an OPA stays killed or frozen. */
  outage: { low: 200, high: 1800 },
  /** How long something else is in the place of the routing file: it is looked at meanwhile. */
  oddFile: 1500,
};

const DISTURBANCES = ['kills', 'freezes', 'policySwaps'] as const;

/** What happens to the routing file; more than once what is quick. */
const FILE_CHANGES = [
  ...['tables', 'tables', 'tables', 'tables', 'bigTables'],
  ...['invalidTables', 'invalidTables', 'bigInvalidTables', 'deletions', 'oddFiles'],
] as ReadonlyArray<
  | 'tables'
  | 'bigTables'
  | 'invalidTables'
  | 'bigInvalidTables'
  | 'deletions'
  | 'oddFiles'
>;

/** Counts of what was done. */
export interface Incidents {
  kills: number;
  freezes: number;
  policySwaps: number;
  /** How often a neighbour blocked the event loop. */
  neighbours: number;
  tables: number;
  bigTables: number;
  invalidTables: number;
  bigInvalidTables: number;
  deletions: number;
  oddFiles: number;
  sourceReplacements: number;
}

/** Kills, freezes, restarts and changes things at random, for each of them one at a time. */
export class Chaos {
  readonly done: Incidents = {
    kills: 0,
    freezes: 0,
    policySwaps: 0,
    neighbours: 0,
    tables: 0,
    bigTables: 0,
    invalidTables: 0,
    bigInvalidTables: 0,
    deletions: 0,
    oddFiles: 0,
    sourceReplacements: 0,
  };
  private readonly disturbances: Readonly<
    Record<'main' | 'second', Bag<(typeof DISTURBANCES)[number]>>
  >;
  private readonly fileChanges: Bag<(typeof FILE_CHANGES)[number]>;
  private readonly bigInvalidFiles: Bag<() => string>;
  private readonly oddFiles: Bag<OddFile>;
  private running = false;
  private ending: AbortController | undefined;
  private loops: Promise<unknown> = Promise.resolve();

  /** @param calm - the pause between two incidents of one OPA, in milliseconds. */
  constructor(
    private readonly targets: ChaosTargets,
    private readonly calm: { readonly low: number; readonly high: number },
  ) {
    const { random } = targets;
    this.disturbances = {
      main: new Bag(DISTURBANCES, random),
      second: new Bag(DISTURBANCES, random),
    };
    this.fileChanges = new Bag(FILE_CHANGES, random);
    this.bigInvalidFiles = new Bag(BIG_INVALID_FILES, random);
    this.oddFiles = new Bag(ODD_FILES, random);
  }

  start(): void {
    const { random } = this.targets;
    const { low, high } = this.calm;
    this.running = true;
    this.ending = new AbortController();
    this.loops = Promise.all([
      this.every(
        () => random.between(low, high),
        () => this.disturb('main'),
      ),
      // The second one less often, so that it is mostly up while the first is down.
      this.every(
        () => random.between(2 * low, 3 * high),
        () => this.disturb('second'),
      ),
      this.every(
        () => random.between(2 * low, 3 * high),
        () => this.visit(),
      ),
      this.every(
        () => PAUSES.table,
        () => this.changeFile(),
      ),
      this.every(
        () => PAUSES.backendTable,
        () => this.targets.backend.reload(),
      ),
      this.every(
        () => PAUSES.sources,
        () => this.replaceRouterSources(),
      ),
    ]);
  }

  /** Waits until everything is up again. */
  async stop(): Promise<void> {
    this.running = false;
    this.ending?.abort();
    await this.loops;
  }

  /** Renews all connections and breakers; whatever remains of the old ones is a leak. */
  async replaceAllSources(): Promise<void> {
    await this.targets.router.renew();
    await this.targets.backend.replaceSources();
    this.done.sourceReplacements++;
  }

  private replaceRouterSources(): void {
    this.targets.router.replaceSources();
    this.done.sourceReplacements++;
  }

  private async every(pause: () => number, act: () => unknown): Promise<void> {
    while (this.running) {
      try {
        await delay(pause(), undefined, { signal: this.ending!.signal });
      } catch {
        return;
      }
      try {
        await act();
      } catch (error) {
        this.targets.report(String(error));
      }
    }
  }

  /** New connections are made meanwhile: they take more turns of the event loop than those in use. */
  private async visit(): Promise<void> {
    this.replaceRouterSources();
    await this.targets.neighbour.visit();
    this.done.neighbours++;
  }

  private async disturb(name: 'main' | 'second'): Promise<void> {
    const { opas, random } = this.targets;
    const opa = opas[name];
    const kind = this.disturbances[name].draw();
    const outage = random.between(PAUSES.outage.low, PAUSES.outage.high);
    const version = random.pick(SERVER_VERSIONS);
    this.done[kind]++;
    switch (kind) {
      case 'kills':
        await opa.kill();
        await delay(outage);
        return opa.start(version);
      case 'freezes':
        return opa.freeze(outage);
      case 'policySwaps':
        return opa.swap(version);
    }
  }

  private async changeFile(): Promise<void> {
    const { file, random } = this.targets;
    const table = random.pick<TableName>(['A', 'B']);
    const change = this.fileChanges.draw();
    switch (change) {
      case 'tables':
        await this.write(routingFile(table));
        break;
      case 'bigTables':
        await this.write(bigTable(table, random));
        break;
      case 'invalidTables':
        await this.write(random.pick(INVALID_FILES));
        break;
      case 'bigInvalidTables':
        await this.write(this.bigInvalidFiles.draw()());
        break;
      case 'deletions':
        await rm(file, { force: true });
        break;
      case 'oddFiles':
        await this.replaceByOddFile();
        break;
    }
    this.done[change]++;
  }

  /** What is put back must be noticed, whatever was there. */
  private async replaceByOddFile(): Promise<void> {
    const { file, router } = this.targets;
    const kind = this.oddFiles.draw();
    await replaceByOdd(file, kind);
    await delay(PAUSES.oddFile);
    try {
      await router.follow(content => putBack(file, content));
    } catch (cause) {
      throw new Error(`after a ${kind} in its place: ${String(cause)}`, { cause });
    }
  }

  private async write(content: string): Promise<void> {
    const { file, random } = this.targets;
    if (random.next() < 0.5) return writeFile(file, content);
    await writeFile(`${file}.new`, content);
    await rename(`${file}.new`, file);
  }
}
