import { rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { SoakBackend } from './backend';
import type { Random } from './random';
import type { SoakRouter } from './router';
import type { UnsteadyOpa } from './unsteady-opa';
import { INVALID_FILES, routingFile, SERVER_VERSIONS, type TableName } from './world';

export interface ChaosTargets {
  readonly router: SoakRouter;
  readonly backend: SoakBackend;
  readonly opas: Readonly<Record<'main' | 'second', UnsteadyOpa>>;
  /** The routing file of the router. */
  readonly file: string;
  readonly random: Random;
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
};

type Disturbance = 'kills' | 'freezes' | 'policySwaps';

/** Counts of what was done. */
export interface Incidents {
  kills: number;
  freezes: number;
  policySwaps: number;
  tables: number;
  invalidTables: number;
  sourceReplacements: number;
}

/** Kills, freezes, restarts and changes things at random, for each of them one at a time. */
export class Chaos {
  readonly done: Incidents = {
    kills: 0,
    freezes: 0,
    policySwaps: 0,
    tables: 0,
    invalidTables: 0,
    sourceReplacements: 0,
  };
  private readonly toCome = new Map<UnsteadyOpa, Disturbance[]>();
  private running = false;
  private ending: AbortController | undefined;
  private loops: Promise<unknown> = Promise.resolve();

  /** @param calm - the pause between two incidents of one OPA, in milliseconds. */
  constructor(
    private readonly targets: ChaosTargets,
    private readonly calm: { readonly low: number; readonly high: number },
  ) {}

  start(): void {
    const { opas, random } = this.targets;
    const { low, high } = this.calm;
    this.running = true;
    this.ending = new AbortController();
    this.loops = Promise.all([
      this.every(
        () => random.between(low, high),
        () => this.disturb(opas.main),
      ),
      // The second one less often, so that it is mostly up while the first is down.
      this.every(
        () => random.between(2 * low, 3 * high),
        () => this.disturb(opas.second),
      ),
      this.every(
        () => PAUSES.table,
        () => this.writeTable(),
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
      await act();
    }
  }

  /** One of each kind, in random order. */
  private async disturb(opa: UnsteadyOpa): Promise<void> {
    const { random } = this.targets;
    const kinds = this.toCome.get(opa) ?? [];
    if (kinds.length === 0) kinds.push('kills', 'freezes', 'policySwaps');
    const [kind] = kinds.splice(Math.floor(random.next() * kinds.length), 1);
    this.toCome.set(opa, kinds);
    const outage = random.between(PAUSES.outage.low, PAUSES.outage.high);
    const version = random.pick(SERVER_VERSIONS);
    this.done[kind!]++;
    switch (kind!) {
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

  private async writeTable(): Promise<void> {
    const { file, random } = this.targets;
    const chance = random.next();
    const isValid = chance < 0.6;
    if (isValid) this.done.tables++;
    else this.done.invalidTables++;
    if (chance > 0.95) return rm(file, { force: true });
    const content = isValid
      ? routingFile(random.pick<TableName>(['A', 'B']))
      : random.pick(INVALID_FILES);
    if (random.next() < 0.5) return writeFile(file, content);
    await writeFile(`${file}.new`, content);
    await rename(`${file}.new`, file);
  }
}
