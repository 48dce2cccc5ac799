/**
 * Past one machine: two replicas of Backstage on one PostgreSQL, each with an OPA beside it that pulls a
 * signed bundle. Under load on both, policies and tables change, and an OPA and a replica are killed.
 * An oracle knows what each answer may be.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signIn } from '../../dev/backend';
import { Random } from '../soak/random';
import { ASKED, PERSONAS } from '../soak/world';
import { until } from '../support/until';
import { Client, type PersonaName } from './client';
import { Load } from './load';
import type { Replica } from './replica';
import type { Measured, ProofReport } from './report';
import { FIRST, OPA_NAMES, setUp, type SetUp } from './set-up';
import { telltaleOf, telltaleOfTable, type Telltale } from './world';

export interface ProofOptions {
  /** Path of the OPA binary. */
  readonly binary: string;
  readonly seed: number;
  /** The longest time between two looks of an OPA at the store, in seconds. */
  readonly polling: number;
  /** Answers of each replica after each change, at least. */
  readonly answers: number;
  /** Whether to go through all changes once more. */
  readonly isAgain: () => boolean;
  readonly onProgress?: (line: string) => void;
}

export async function runProof(options: ProofOptions): Promise<ProofReport> {
  const folder = await mkdtemp(join(tmpdir(), 'policy-router-scaling-'));
  const ends: Array<() => unknown> = [() => rm(folder, { recursive: true })];
  try {
    options.onProgress?.('two OPAs, PostgreSQL and two replicas are started');
    const proof = new Proof(options, await setUp(options, folder, ends));
    ends.push(() => proof.stop());
    return await proof.run();
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

const NAMES = Object.keys(PERSONAS) as PersonaName[];

class Proof {
  private readonly random: Random;
  private readonly tokens: Record<PersonaName, string> = {
    olivia: '',
    nolan: '',
    petra: '',
  };
  /** Of the replicas that are up. */
  private readonly clients = new Map<Replica, Client>();
  private readonly running = new Map<Replica, Load>();
  private readonly loads: Load[] = [];
  private readonly measured: Measured[] = [];
  private readonly violations: string[] = [];
  private version = FIRST.version as '1' | '2';
  private table = FIRST.table;

  constructor(
    private readonly options: ProofOptions,
    private readonly parts: SetUp,
  ) {
    this.random = new Random(options.seed);
  }

  async run(): Promise<ProofReport> {
    let rounds = 0;
    do {
      rounds++;
      // A token of one replica is good at all of them. It lasts for an hour.
      const { url } = this.parts.replicas[rounds % 2]!;
      for (const name of NAMES) this.tokens[name] = await signIn(url, name);
      if (rounds === 1) {
        for (const replica of this.parts.replicas) this.load(replica);
        await this.more();
      }
      await this.newBundle(this.parts.replicas);
      await this.refusedBundles();
      await this.newTable();
      await this.killedOpa(rounds % 2);
      await this.killedReplica(rounds % 2);
      this.progress(
        `round ${rounds} is over: ${this.total(({ tally }) => tally.wrong)} wrong`,
      );
    } while (this.options.isAgain());
    await this.stop();
    await this.agree();
    return {
      rounds,
      decisions: this.total(({ tally }) => tally.decisions),
      certain: this.total(({ tally }) => tally.certain),
      lists: this.total(({ lists }) => lists),
      wrong: this.total(({ tally }) => tally.wrong),
      rejected: this.total(({ tally }) => tally.rejected),
      lost: this.total(({ tally }) => tally.gaveUp),
      violations: [
        ...this.violations,
        ...this.loads.flatMap(({ tally }) => tally.violations),
      ],
      measured: this.measured,
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.loads.map(load => load.stop()));
  }

  /** The other version is published, and these replicas decide by it. */
  private async newBundle(replicas: readonly Replica[]): Promise<void> {
    const next = this.version === '1' ? '2' : '1';
    for (const { own } of replicas) own.mayTake(next);
    this.version = next;
    this.parts.store.publish(this.parts.bundles[next]);
    await this.decideBy('bundle', replicas, telltaleOf(next), ({ own }) =>
      own.has(next),
    );
    await this.more();
  }

  /** Bundles that allow what they should not are published, and nobody decides by them. */
  private async refusedBundles(): Promise<void> {
    const { store, refused, bundles } = this.parts;
    for (const [what, bundle] of Object.entries(refused)) {
      store.publish(bundle);
      // An OPA that downloads it again has not taken it.
      await until(
        () => OPA_NAMES.every(name => store.downloaded(name) >= 2),
        `each OPA has refused a bundle that is ${what}`,
      );
      await this.more();
      this.progress(`a bundle that is ${what} was refused by both OPAs`);
    }
    store.publish(bundles[this.version]);
  }

  /** The other table is put into the folder of every replica. */
  private async newTable(): Promise<void> {
    const next = this.table === 'A' ? 'B' : 'A';
    this.table = next;
    for (const replica of this.parts.replicas) await replica.publish(next);
    const up = this.parts.replicas.filter(({ isUp }) => isUp);
    await this.decideBy('routing file', up, telltaleOfTable(next), replica =>
      replica.uses(next),
    );
    await this.more();
  }

  /** The OPA beside this replica is killed, misses a bundle, and is started again. */
  private async killedOpa(index: number): Promise<void> {
    const [here, there] = [
      this.parts.replicas[index]!,
      this.parts.replicas[1 - index]!,
    ];
    const telltale = telltaleOf(this.version);
    await here.own.kill();
    await this.answers(here, { ...telltale, result: 'DENY' });
    this.progress(
      `OPA of ${here.name} was killed: what only it decides is denied there`,
    );
    await this.more();
    const kept = this.version;
    await this.newBundle([there]);
    await here.own.restart(kept, this.version);
    await until(
      async () => this.clients.get(here)!.asksEveryOpa(),
      `${here.name} asks its OPA again`,
    );
    here.own.has(this.version);
    await this.answers(here, telltaleOf(this.version));
    this.progress(`OPA of ${here.name} is back, with the bundle that it had missed`);
    await this.more();
  }

  /** A replica is killed, misses a table, and another process takes its place. */
  private async killedReplica(index: number): Promise<void> {
    const replica = this.parts.replicas[index]!;
    await replica.kill();
    await this.running.get(replica)!.stop();
    this.running.delete(replica);
    this.progress(`${replica.name} was killed`);
    await this.more();
    await this.newTable();
    await replica.replace(this.table);
    this.load(replica);
    this.progress(`${replica.name} is back`);
    await this.more();
  }

  private load(replica: Replica): void {
    const client = new Client(replica.url, this.tokens);
    const load = new Load(replica, client, this.random);
    this.clients.set(replica, client);
    this.running.set(replica, load);
    this.loads.push(load);
  }

  /** Waits until every replica that is up has given some more answers. */
  private async more(): Promise<void> {
    const enough = [...this.running.values()].map(load => ({
      load,
      count: load.tally.decisions + this.options.answers,
    }));
    await until(
      () => enough.every(({ load, count }) => load.tally.decisions >= count),
      `each replica has given ${this.options.answers} more answers`,
    );
  }

  private async answers(replica: Replica, { asked, result }: Telltale): Promise<void> {
    const client = this.clients.get(replica)!;
    await until(async () => {
      const { value } = await client.authorize('olivia', [asked]);
      return value[0] === result;
    }, `${replica.name} answers ${asked.name} with ${result}`);
  }

  /** @param then - what is certain once the replica has answered by the change. */
  private async decideBy(
    what: Measured['what'],
    replicas: readonly Replica[],
    telltale: Telltale,
    then: (replica: Replica) => void,
  ): Promise<void> {
    const since = performance.now();
    await Promise.all(
      replicas.map(async replica => {
        await this.answers(replica, telltale);
        then(replica);
        const seconds = (performance.now() - since) / 1000;
        this.measured.push({ what, replica: replica.name, seconds });
        this.progress(
          `${replica.name} decides by a new ${what} after ${seconds.toFixed(1)} s`,
        );
      }),
    );
  }

  /** With nothing under way, both replicas give the same answers to all questions. */
  private async agree(): Promise<void> {
    for (const name of NAMES) {
      const answers = await Promise.all(
        [...this.clients.values()].map(async client => [
          (await client.authorize(name, ASKED)).value,
          (await client.components(name)).value.sort(),
        ]),
      );
      const [one, two] = answers.map(each => JSON.stringify(each));
      if (one !== two)
        this.violations.push(`${name}: ${one} at one, ${two} at the other`);
    }
  }

  private total(of: (load: Load) => number): number {
    return this.loads.reduce((sum, load) => sum + of(load), 0);
  }

  private progress(line: string): void {
    this.options.onProgress?.(line);
  }
}
