import { setTimeout as delay } from 'node:timers/promises';
import { allowedOutcomes } from '../soak/oracle';
import { appliedTo } from '../soak/load';
import type { Random } from '../soak/random';
import { Tally } from '../soak/tally';
import { ASKED, PERSONAS, type Asked } from '../soak/world';
import type { Answered, Client, PersonaName } from './client';
import type { Replica } from './replica';
import { LIST, listed, listOf } from './world';

/** For each replica. */
const CALLERS = 3;
/** Questions per request; one request of so many is a list. */
const BATCH = 12;
const LISTS = 4;
/** Between two requests of a caller, in milliseconds. */
const PAUSE = { low: 10, high: 60 };

const NAMES = Object.keys(PERSONAS) as PersonaName[];

/** Mixed questions to one replica until stopped, each answer judged by the oracle. */
export class Load {
  readonly tally = new Tally();
  lists = 0;
  private running = true;
  private readonly callers: Promise<unknown>;

  constructor(
    private readonly replica: Replica,
    private readonly client: Client,
    private readonly random: Random,
  ) {
    this.callers = Promise.all(Array.from({ length: CALLERS }, () => this.call()));
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.callers;
  }

  private async call(): Promise<void> {
    const { random } = this;
    while (this.running) {
      const name = random.pick(NAMES);
      const isList = random.next() < 1 / LISTS;
      try {
        if (isList) await this.list(name);
        else await this.authorize(name, this.questions());
      } catch (error) {
        // What is under way is lost with a replica; a load balancer has others.
        if (!this.replica.isUp) this.tally.gaveUp++;
        else {
          this.tally.rejected++;
          this.tally.report(`${this.replica.name} rejected: ${String(error)}`);
        }
      }
      await delay(random.between(PAUSE.low, PAUSE.high));
    }
  }

  private questions(): Asked[] {
    const { random } = this;
    const count = Math.ceil(random.between(0, BATCH));
    return Array.from({ length: count }, () => random.pick(ASKED));
  }

  private async authorize(name: PersonaName, questions: Asked[]): Promise<void> {
    const answered = await this.client.authorize(name, questions);
    questions.forEach((asked, index) => this.judge(name, asked, answered, index));
  }

  private judge(
    name: PersonaName,
    asked: Asked,
    answered: Answered<string[]>,
    index: number,
  ): void {
    const person = PERSONAS[name];
    const outcomes = [...this.outcomes(name, asked, answered)];
    const allowed = new Set(outcomes.map(each => appliedTo(person, each)));
    this.tally.judge(answered.value[index]!, allowed, () =>
      JSON.stringify({ replica: this.replica.name, name, asked: asked.name }),
    );
  }

  private async list(name: PersonaName): Promise<void> {
    const answered = await this.client.components(name);
    const person = PERSONAS[name];
    const outcomes = [...this.outcomes(name, LIST, answered)];
    const allowed = new Set(outcomes.map(each => listed(person, each)));
    this.lists++;
    this.tally.judge(listOf(answered.value), allowed, () =>
      JSON.stringify({ replica: this.replica.name, name, list: true }),
    );
  }

  /** What this question may be answered by what was possible meanwhile. */
  private outcomes(
    name: PersonaName,
    asked: Asked,
    { from, to }: Answered<unknown>,
  ): ReadonlySet<string> {
    const { own, other, tables } = this.replica;
    const main = own.states(from, to);
    return allowedOutcomes({
      person: PERSONAS[name],
      asked,
      tables: tables.between(from, to),
      opas: { main, second: other.states(from, to) },
      // If the process was held up meanwhile, an outage counts as overload: fail-open denies then.
      overloaded: main.down && asked.prefix === 'open',
    });
  }
}
