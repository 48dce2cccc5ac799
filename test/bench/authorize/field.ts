/** The backends of all contestants, running. */
import { join } from 'node:path';
import { Pool } from 'undici';
import type { Run } from '../section';
import { Backend, type BackendOptions } from './backend';
import type { BackendContestant, Sources } from './contestants';
import type { Target } from './load';

export interface Runner extends Target {
  readonly id: string;
  readonly title: string;
  readonly contestant: BackendContestant;
  readonly backend: Backend;
}

export interface Field {
  readonly runners: readonly Runner[];
  close(): Promise<void>;
}

/** How many backends start at once. */
const STARTING = 2;

const SCRIPT = 'test/bench/authorize/backend-process';

/** Starts them, as many at once as there are cores. */
export async function startField(
  run: Run,
  contestants: readonly BackendContestant[],
  sources: Sources,
): Promise<Field> {
  const entries = contestants.flatMap(contestant => {
    const own = {
      contestant,
      id: contestant.id,
      ...scriptOf(run, undefined),
    };
    if (contestant.policy !== 'router' || !run.against) return [own];
    const id = `${contestant.id}@other`;
    return [{ contestant, id, ...scriptOf(run, run.against.compiled) }, own];
  });
  const runners = new Map<string, Runner>();
  const left = [...entries];
  const startNext = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const { contestant, id, script, suffix } = next;
      const backend = await startIfSupported(run, {
        id,
        script,
        policy: contestant.policy,
        permission: contestant.permission(sources),
        opaUrl: sources.opaUrl,
        folder: run.folder,
      });
      if (!backend) continue;
      runners.set(id, {
        id,
        title: `${contestant.title}${suffix}`,
        contestant,
        backend,
        token: backend.token,
        pool: new Pool(backend.url, { connections: 64, pipelining: 1 }),
        cpu: () => backend.cpu(),
      });
    }
  };
  const close = async (): Promise<void> => {
    for (const { pool, backend } of runners.values()) {
      await pool.destroy();
      await backend.stop();
    }
  };
  try {
    await Promise.all(Array.from({ length: STARTING }, startNext));
  } catch (error) {
    await close();
    throw error;
  }
  return { runners: entries.flatMap(({ id }) => runners.get(id) ?? []), close };
}

/** Nothing if the router of that checkout does not know a key of the config yet. */
async function startIfSupported(
  run: Run,
  options: BackendOptions,
): Promise<Backend | undefined> {
  try {
    return await Backend.start(options);
  } catch (error) {
    const { message } = error as Error;
    const key = /unknown key '\w+'/.exec(message)?.[0];
    if (key === undefined) throw new Error(`${options.id}: ${message}`);
    run.print(`Left out: ${options.id} (${key})`);
    return undefined;
  }
}

const scriptOf = (run: Run, other: string | undefined) => {
  const extension = __filename.endsWith('.ts') ? 'ts' : 'js';
  return other === undefined
    ? { script: join(__dirname, `backend-process.${extension}`), suffix: '' }
    : { script: join(other, `${SCRIPT}.js`), suffix: ` (${run.against!.path})` };
};
