/** What it costs that decisions are compared: the same router, with that on and off. */
import { setTimeout as pause } from 'node:timers/promises';
import { inProcess, NO_OPA, quietLogger, routerTo, USERS } from './contestants';
import type { Contestant } from './drive';

/** Milliseconds between decisions, in which each comparison ends. */
const PAUSE = 3;

export interface ShadowContestants {
  /** Each is compared with the first of its kind. */
  readonly groups: ReadonlyArray<readonly [Contestant, ...Contestant[]]>;
  close(): void;
}

/** @param opaUrl - of an OPA that has loaded config/policies/backstage.rego. */
export async function shadowContestants(
  opaUrl: string | undefined,
): Promise<ShadowContestants> {
  const routers: Array<{ close(): void }> = [];
  const contestant = async (
    source: 'ownership' | 'opa',
    by: string | undefined,
    percent = 100,
  ): Promise<Contestant> => {
    const shadow = by === undefined ? {} : { [source]: { source: by, percent } };
    const router = await routerTo(source, opaUrl ?? NO_OPA, quietLogger(), { shadow });
    routers.push(router);
    const what = by === undefined ? 'not compared' : `${percent} % with ${by}`;
    const named = inProcess(
      `${source}, ${what}`,
      router.undelayed,
      'CONDITIONAL',
      USERS,
    );
    return { ...named, inProcess: source !== 'opa' };
  };
  const ownership = [
    await contestant('ownership', undefined),
    await contestant('ownership', 'deny', 10),
    await contestant('ownership', 'deny'),
    await contestant('ownership', 'embedded'),
  ] as const;
  const opa = [
    await contestant('opa', undefined),
    await contestant('opa', 'ownership'),
    await contestant('opa', 'opa-next', 10),
    await contestant('opa', 'opa-next'),
  ] as const;
  return {
    groups: opaUrl === undefined ? [ownership] : [ownership, opa],
    close: () => routers.forEach(router => router.close()),
  };
}

/** Latencies of single decisions with pauses between them, in microseconds; sorted. */
export async function latenciesOf(
  contestants: readonly Contestant[],
  rounds: number,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const latencies = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) {
      const asked = performance.now();
      await contestant.ask();
      latencies.get(contestant.name)!.push((performance.now() - asked) * 1000);
      await pause(PAUSE);
    }
  }
  for (const each of latencies.values()) each.sort((a, b) => a - b);
  return latencies;
}
