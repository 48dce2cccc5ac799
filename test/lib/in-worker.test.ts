/** Whatever a thread does, it ends with an answer or an error, and holds nothing else meanwhile. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inWorker, WorkerFailure, type WorkerLimits } from '../../src/lib/in-worker';
import { turnsDuring } from '../support/turns';

const SCRIPT = join(__dirname, '../fixtures/worker-script');
const LIMITS: WorkerLimits = { timeout: 60_000, heap: 64 };

const ask = (does: string, limits: Partial<WorkerLimits> = {}, value?: unknown) =>
  inWorker<unknown>(SCRIPT, { does, value }, { ...LIMITS, ...limits });
const errorOf = (...task: Parameters<typeof ask>): Promise<Error> =>
  ask(...task).then(
    () => new Error('it answered'),
    (error: Error) => error,
  );

it('answers', async () => {
  expect(await ask('answer', {}, { a: [1, 'two'] })).toEqual({ a: [1, 'two'] });
});

it('passes on what the script threw', async () => {
  const error = await errorOf('throw');
  expect(error).not.toBeInstanceOf(WorkerFailure);
  expect(error.message).toBe('it went wrong');
});

it.each<[does: string, limits: Partial<WorkerLimits>, reason: string, message: string]>(
  [
    ['loop', { timeout: 1 }, 'time', 'takes longer than 0.001 s'],
    ['loop', { timeout: 1500 }, 'time', 'takes longer than 1.5 s'],
    ['use memory', {}, 'memory', 'needs more than 64 MiB of memory'],
    ['exit', {}, 'thread', 'its thread ended with code 3'],
    ['crash', {}, 'thread', 'its thread failed (TypeError)'],
  ],
)('fails if the script would %s (%j)', async (does, limits, reason, message) => {
  const error = await errorOf(does, limits);
  expect(error).toBeInstanceOf(WorkerFailure);
  expect([(error as WorkerFailure).reason, error.message]).toEqual([reason, message]);
});

it('fails if the answer cannot be posted', async () => {
  expect((await errorOf('answer with a function')).message).toMatch(
    /could not be cloned/,
  );
});

it('fails if there is no such script', async () => {
  await expect(inWorker(`${SCRIPT}-missing`, {}, LIMITS)).rejects.toThrow(
    'its thread failed (MODULE_NOT_FOUND)',
  );
});

it('lets the event loop turn meanwhile', async () => {
  expect(await turnsDuring(ask('loop', { timeout: 1000 }))).toBeGreaterThan(100);
});

it('hands over nothing of the environment', async () => {
  expect(process.env.PATH).toBeDefined();
  expect(await ask('tell its surroundings')).toMatchObject({ env: {} });
  const { env } = (await ask('tell its surroundings')) as { env: object };
  expect(Object.keys(env)).toEqual([]);
});

it('runs all of many, though not all at once', async () => {
  const values = Array.from({ length: 6 }, (_, index) => index);
  expect(await Promise.all(values.map(value => ask('answer', {}, value)))).toEqual(
    values,
  );
});

describe('a thread', () => {
  /** Of the tasks with this limit only. */
  const threadOf = async (heap: number): Promise<unknown> =>
    ((await ask('tell its surroundings', { heap })) as { thread: number }).thread;

  it('is used again, but not after a failure', async () => {
    const first = await threadOf(65);
    expect(await threadOf(65)).toBe(first);
    await errorOf('throw', { heap: 65 });
    expect(await threadOf(65)).toBe(first);
    await errorOf('exit', { heap: 65 });
    expect(await threadOf(65)).not.toBe(first);
  });

  it('is not used for another limit', async () => {
    expect(await threadOf(66)).not.toBe(await threadOf(67));
  });
});

it('keeps no process alive once it has ended, and loads nothing that the process preloads', async () => {
  const script = `
    const { inWorker } = require('./src/lib/in-worker.ts');
    const ask = does => inWorker(${JSON.stringify(SCRIPT)}, { does, value: does }, { timeout: 5000, heap: 64 });
    ask('answer').then(console.log)
      .then(() => ask('loop'))
      .catch(error => console.log(error.message))
      .then(() => ask('answer')).then(console.log);`;
  const preload = join(__dirname, '../fixtures/preloaded.js');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--require', preload, '--require', 'tsx/cjs', '--eval', script],
    { timeout: 60_000, env: { ...process.env, NODE_OPTIONS: `--require ${preload}` } },
  );
  expect(stdout).toBe('answer\ntakes longer than 5 s\nanswer\n');
});
