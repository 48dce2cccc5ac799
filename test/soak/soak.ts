/**
 * Packs hours of failures into minutes: mixed load while OPA is killed, frozen, restarted and
 * given other policies, and while the routing table and the sources are reloaded. An oracle
 * knows the possible results of each decision.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SoakBackend } from './backend';
import { Chaos, type Incidents } from './chaos';
import { Heartbeat } from './heartbeat';
import { Load } from './load';
import { BusyNeighbour } from './neighbour';
import { QuietLogs } from './quiet-logs';
import { Random } from './random';
import { measure, type Resources } from './resources';
import { SoakRouter } from './router';
import { Tally } from './tally';
import { UnsteadyOpa } from './unsteady-opa';
import {
  dataOf,
  ENTRYPOINT,
  POLICY,
  SERVER_VERSIONS,
  type Version,
  type WorldUrls,
} from './world';

export interface SoakOptions {
  /** Path of the OPA binary. */
  readonly binary: string;
  readonly seconds: number;
  readonly seed: number;
  /** The pause between two incidents of one OPA, in milliseconds. */
  readonly calm: { readonly low: number; readonly high: number };
  readonly onProgress?: (tally: Tally) => void;
  /** Whether enough has happened to end once the time is over; a busy machine takes longer. */
  readonly isEnough?: (soFar: SoFar) => boolean;
}

export interface SoFar {
  readonly tally: Tally;
  readonly incidents: Incidents;
  /** The reloads of both routers that took effect. */
  readonly reloads: number;
}

export interface SoakReport extends SoFar {
  readonly seconds: number;
  /** Longest time between two turns of this process's event loop, in milliseconds. */
  readonly longestStall: number;
  /** The same without the busy neighbour, and without the time that other processes had the CPU. */
  readonly longestStallOfOurs: number;
  readonly warnings: number;
  readonly errors: number;
  readonly logBytes: number;
  /** Measured at rest: after the first fifth (at most two minutes) and at the end. */
  readonly before: Resources;
  readonly after: Resources;
}

/** Backstage's own sockets; at rest no source has a connection yet. */
export const SOCKETS_AT_REST = 12;

/** The most that these may grow from the first measurement to the last. */
export const GROWTH = { heapMegabytes: 15, sockets: 4, timers: 4 };

const PROGRESS_EVERY = 10_000;
/** How often, and at most how many times, it checks whether enough has happened. */
const OVERTIME = { every: 500, times: 200 };

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { binary, seconds, seed, calm, onProgress, isEnough = () => true } = options;
  const folder = await mkdtemp(join(tmpdir(), 'policy-router-soak-'));
  const ends: Array<() => unknown> = [() => rm(folder, { recursive: true })];
  try {
    const bundle = await writePolicies(binary, folder);
    const random = new Random(seed);
    const neighbour = new BusyNeighbour(random);
    const heartbeat = new Heartbeat({
      onStall: () => Object.values(opas).forEach(opa => opa.markSlow()),
      blockedBetween: (from, to) => neighbour.blockedBetween(from, to),
    });
    ends.push(() => heartbeat.stop());
    const stalledSince = (from: number): number => heartbeat.stalledSince(from);
    const opas = {
      main: new UnsteadyOpa({ binary, folder, seldomAsked: false, stalledSince }),
      second: new UnsteadyOpa({ binary, folder, seldomAsked: true, stalledSince }),
    };
    ends.push(() => opas.main.stop());
    ends.push(() => opas.second.stop());
    await opas.main.start('1');
    await opas.second.start('2');
    const urls: WorldUrls = {
      main: opas.main.url,
      mainSecure: opas.main.secureUrl,
      second: opas.second.url,
      bundle,
    };

    const logs = new QuietLogs();
    const file = join(folder, 'in-process-routing.yaml');
    const router = await SoakRouter.start(urls, file, logs);
    ends.push(() => router.close());
    const backend = await SoakBackend.start(urls, folder, new QuietLogs());
    ends.push(() => backend.stop());

    const tally = new Tally();
    const report = (violation: string): void => tally.report(violation);
    const targets = { router, backend, opas, random };
    const chaos = new Chaos({ ...targets, file, neighbour, report }, calm);
    const excusedSince = (from: number): number => heartbeat.excusedSince(from);
    const load = new Load({ ...targets, tally, excusedSince });
    const progress = setInterval(() => onProgress?.(tally), PROGRESS_EVERY);
    ends.push(() => clearInterval(progress));

    /** @param sockets - waits until so many are left, because those of clients close later. */
    const rest = async (sockets: number): Promise<Resources> => {
      await chaos.stop();
      await load.stop();
      await chaos.replaceAllSources();
      const resources = await measure(sockets);
      heartbeat.forget();
      return resources;
    };
    const run = async (milliseconds: number): Promise<void> => {
      load.start();
      chaos.start();
      await delay(milliseconds);
    };

    const warmUp = Math.min(120_000, seconds * 200);
    await run(warmUp);
    const before = await rest(SOCKETS_AT_REST);
    await run(seconds * 1000 - warmUp);
    const soFar = (): SoFar => ({
      tally,
      incidents: chaos.done,
      reloads: router.reloads + backend.reloads,
    });
    for (let time = 0; time < OVERTIME.times && !isEnough(soFar()); time++) {
      await delay(OVERTIME.every);
    }
    const after = await rest(before.sockets + GROWTH.sockets);
    return {
      ...soFar(),
      seconds,
      longestStall: heartbeat.longest,
      longestStallOfOurs: heartbeat.longestOfOurs,
      warnings: logs.warnings,
      errors: logs.errors,
      logBytes: logs.bytes,
      before,
      after,
    };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** Every violation in words; empty if the run was good. */
export function violationsOf({ tally, before, after }: SoakReport): string[] {
  const { wrong, rejected, late, violations } = tally;
  const left = [before, after].flatMap(({ sockets }) =>
    sockets > SOCKETS_AT_REST ? [`${sockets} sockets were open at rest`] : [],
  );
  const grown = (Object.keys(GROWTH) as Array<keyof Resources>).flatMap(kind =>
    after[kind] - before[kind] > GROWTH[kind]
      ? [`${kind} grew from ${before[kind]} to ${after[kind]}`]
      : [],
  );
  return [
    ...(wrong > 0 ? [`${wrong} decisions were wrong`] : []),
    ...(rejected > 0 ? [`${rejected} were rejected`] : []),
    ...(late > 0 ? [`${late} came after the deadline`] : []),
    ...left,
    ...grown,
    ...violations,
  ];
}

/** @returns the path of the Wasm bundle. */
export async function writePolicies(binary: string, folder: string): Promise<string> {
  const policy = join(folder, 'policy.rego');
  await writeFile(policy, POLICY);
  const versions: readonly Version[] = [...SERVER_VERSIONS, 'embedded'];
  for (const version of versions) {
    await writeFile(
      join(folder, `data-${version}.json`),
      JSON.stringify(dataOf(version)),
    );
  }
  const bundle = join(folder, 'bundle.tar.gz');
  await promisify(execFile)(binary, [
    'build',
    ...['--target', 'wasm', '--entrypoint', ENTRYPOINT, '--output', bundle],
    policy,
    join(folder, 'data-embedded.json'),
  ]);
  return bundle;
}
