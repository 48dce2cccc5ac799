import { setTimeout as delay } from 'node:timers/promises';
import type { Permission } from '@backstage/plugin-permission-common';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { Agent, fetch } from 'undici';
import type { DecisionRecord } from '../../src/trace/record';
import type { Failure } from '../../src/verdict';
import type { SoakBackend } from './backend';
import { allowedOutcomes, outcomeOf, type OpaStates, type Outcome } from './oracle';
import type { Random } from './random';
import type { SoakRouter } from './router';
import type { Tally } from './tally';
import type { UnsteadyOpa } from './unsteady-opa';
import {
  ASKED,
  CROWDED,
  DEADLINE,
  PEOPLE,
  PERSONAS,
  RESOURCE_TYPE,
  type Asked,
  type Person,
} from './world';

export interface LoadTargets {
  readonly router: SoakRouter;
  readonly backend: SoakBackend;
  readonly opas: Readonly<Record<'main' | 'second', UnsteadyOpa>>;
  readonly tally: Tally;
  readonly random: Random;
  /** How long something else than the router has stalled this process since then, in milliseconds. */
  readonly excusedSince: (from: number) => number;
}

/** The callers of `handle` and of /authorize, and the pause between their bursts in milliseconds. */
const CALLERS = { inProcess: 12, overHttp: 3 };
const PAUSE = { low: 30, high: 120 };
/** Questions at once; a flood has more than a source has room for. */
const BURST = { usual: 16, flood: 400, chanceOfFlood: 0.004 };
/** Questions per HTTP request. */
const BATCH = 12;
/** Items of one user at once, every so many milliseconds. */
const BIG_BATCH = { size: 1500, every: { low: 3000, high: 8000 } };
const CHANCE_OF_CROWDED = 0.01;
/** The failure that tells of a busy process. */
const TOO_BUSY: ReadonlySet<string> = new Set(['STALLED', 'NO_TURN']);
const CHANCE_OF_GIVING_UP = 0.1;

/** Asks mixed questions as mixed users until stopped; then waits for the last answer. */
export class Load {
  private running = false;
  private callers: Promise<unknown> = Promise.resolve();
  private agent: Agent | undefined;
  private nextBigBatch = 0;

  constructor(private readonly targets: LoadTargets) {}

  start(): void {
    this.running = true;
    this.agent = new Agent({ connections: 8 });
    this.callers = Promise.all([
      ...Array.from({ length: CALLERS.inProcess }, () => this.callInProcess()),
      ...Array.from({ length: CALLERS.overHttp }, () => this.callOverHttp()),
    ]);
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.callers;
    await this.agent?.close();
  }

  private async callInProcess(): Promise<void> {
    const { random } = this.targets;
    while (this.running) {
      if (performance.now() > this.nextBigBatch) await this.decideBigBatch();
      const size =
        random.next() < BURST.chanceOfFlood
          ? BURST.flood
          : Math.ceil(random.between(0, BURST.usual));
      await Promise.all(
        Array.from({ length: size }, () =>
          this.decide(
            random.next() < CHANCE_OF_CROWDED ? CROWDED : random.pick(PEOPLE),
            random.pick(ASKED),
          ),
        ),
      );
      await delay(random.between(PAUSE.low, PAUSE.high));
    }
  }

  /** As a page with very many entities asks, for a user in few or in very many groups. */
  private async decideBigBatch(): Promise<void> {
    const { random, tally } = this.targets;
    const { size, every } = BIG_BATCH;
    this.nextBigBatch = performance.now() + random.between(every.low, every.high);
    const person = random.next() < 0.5 ? CROWDED : random.pick(PEOPLE);
    // Backstage gives the same object with every item of a request.
    const user = userOf(person);
    await Promise.all(
      Array.from({ length: size }, () => this.decide(person, random.pick(ASKED), user)),
    );
    tally.bigBatches++;
  }

  private async decide(
    person: Person,
    asked: Asked,
    user = userOf(person),
  ): Promise<void> {
    const { router, tally, excusedSince } = this.targets;
    const from = performance.now();
    try {
      const { decision, table, trace } = await router.decide(
        { permission: permissionOf(asked) },
        user,
      );
      const took = performance.now() - from;
      tally.slowest = Math.max(tally.slowest, took);
      const codes = failuresOf(trace);
      const excused = took > DEADLINE ? excusedSince(from) : 0;
      if (took - excused > DEADLINE) {
        if (codes.some(({ code }) => TOO_BUSY.has(code))) tally.lateButTold++;
        else {
          tally.late++;
          tally.report(
            `late: ${Math.round(took)} ms, of which ${Math.round(excused)} ms are excused: ` +
              JSON.stringify({ person: person.ref, asked: asked.name, trace }),
          );
        }
      }
      for (const { code } of codes) tally.fail(code);
      if (trace?.sources.some(({ shared }) => shared)) tally.shared++;
      const allowed = allowedOutcomes({
        person,
        asked,
        tables: [table],
        opas: this.states(from, codes),
        overloaded: codes.some(failure => failure.class === 'overloaded'),
      });
      // Always DENY, also while OPA is up: a wait that was too long, and over TLS a connection that
      // ended before the first byte, which is how OPA refuses a client certificate.
      const isDenied = codes.some(
        ({ class: failureClass, code }) =>
          code === 'NO_TURN' ||
          (failureClass === 'invalid' && code === 'UND_ERR_SOCKET'),
      );
      tally.judge(
        outcomeOf(decision),
        isDenied ? new Set([...allowed, 'DENY']) : allowed,
        () => JSON.stringify({ person: person.ref, asked: asked.name, table, trace }),
      );
      if (trace?.user !== person.ref || trace.permission?.name !== asked.name) {
        tally.report(
          `the trace of another decision: ${JSON.stringify({ person, trace })}`,
        );
        tally.wrong++;
      }
    } catch (error) {
      tally.rejected++;
      tally.report(`rejected: ${String(error)}`);
    }
  }

  private async callOverHttp(): Promise<void> {
    const { random } = this.targets;
    const names = Object.keys(PERSONAS) as Array<keyof typeof PERSONAS>;
    while (this.running) {
      const items = Array.from({ length: Math.ceil(random.between(0, BATCH)) }, () =>
        random.pick(ASKED),
      );
      await this.authorize(random.pick(names), items);
      await delay(random.between(PAUSE.low, PAUSE.high));
    }
  }

  private async authorize(
    name: keyof typeof PERSONAS,
    items: readonly Asked[],
  ): Promise<void> {
    const { backend, tally, random } = this.targets;
    const person = PERSONAS[name];
    const from = performance.now();
    const givesUp = random.next() < CHANCE_OF_GIVING_UP;
    try {
      const response = await fetch(`${backend.url}/api/permission/authorize`, {
        method: 'POST',
        dispatcher: this.agent!,
        signal: givesUp ? AbortSignal.timeout(random.between(1, 20)) : null,
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${backend.tokens[name]}`,
        },
        body: JSON.stringify({ items: items.map(itemOf) }),
      });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`HTTP ${response.status} ${text}`);
      const body = JSON.parse(text) as { items: Array<{ result: string }> };
      const to = performance.now();
      const states = this.states(from);
      items.forEach((asked, index) => {
        const outcomes = allowedOutcomes({
          person,
          asked,
          tables: backend.tables.between(from, to),
          opas: states,
          overloaded: true,
        });
        const allowed = new Set([...outcomes].map(each => appliedTo(person, each)));
        tally.overHttp++;
        tally.judge(body.items[index]!.result, allowed, () =>
          JSON.stringify({ person: person.ref, asked: asked.name, http: true }),
        );
      });
    } catch (error) {
      if (givesUp) {
        tally.gaveUp++;
        return;
      }
      tally.rejected++;
      tally.report(`/authorize: ${String(error)}`);
    }
  }

  /** @param failures - those in the decision's trace; unknown for a decision over HTTP. */
  private states(from: number, failures?: readonly Failure[]) {
    const { main, second } = this.targets.opas;
    const to = performance.now();
    const breakerOpen = failures?.some(({ code }) => code === 'BREAKER_OPEN') ?? true;
    // A decision that met no outage must not have a result that only an outage explains.
    const metOutage = failures?.some(each => each.class === 'unavailable') ?? true;
    const seen = (states: OpaStates): OpaStates => ({
      ...states,
      down: states.down && metOutage,
      outage: states.outage && metOutage,
    });
    return {
      main: seen(main.states(from, to, breakerOpen)),
      second: seen(second.states(from, to, breakerOpen)),
    };
  }
}

const permissionOf = ({ name, isResource }: Asked): Permission =>
  isResource
    ? { type: 'resource', name, attributes: {}, resourceType: RESOURCE_TYPE }
    : { type: 'basic', name, attributes: {} };

export const itemOf = (asked: Asked, index: number): object => ({
  id: String(index),
  permission: permissionOf(asked),
  ...(asked.isResource ? { resourceRef: 'component:default/payments-api' } : {}),
});

const userOf = ({ ref, claims }: Person): PolicyQueryUser =>
  ({
    credentials: {},
    info: { userEntityRef: ref, ownershipEntityRefs: [...claims] },
  }) as unknown as PolicyQueryUser;

const failuresOf = (trace: DecisionRecord | undefined): Failure[] => [
  ...(trace?.failure ? [trace.failure] : []),
  ...(trace?.sources ?? []).flatMap(({ failure, attempts }) =>
    (attempts ?? [{ failure }]).flatMap(attempt => attempt.failure ?? []),
  ),
];

/** The catalog applies owner conditions to an entity of group:default/payments. */
export function appliedTo({ claims }: Person, outcome: Outcome): string {
  if (!outcome.startsWith('CONDITIONAL')) return outcome;
  return claims.includes('group:default/payments') ? 'ALLOW' : 'DENY';
}
