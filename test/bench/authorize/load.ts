import type { Pool } from 'undici';
import type { Answers, Requests } from './questions';

/** A short measurement of one backend. */
export interface Slice {
  readonly requestsPerSecond: number;
  /** Microseconds of the backend's CPU time per request. */
  readonly cpu: number;
  /** Milliseconds until the answer. */
  readonly p50: number;
  readonly p99: number;
  /** Answers that were not what they must be. */
  readonly wrong: number;
  /** One of these answers. */
  readonly wrongAnswer: string | undefined;
}

/** What is under load. */
export interface Target {
  readonly pool: Pool;
  readonly token: string;
  /** Microseconds of CPU time that its process has used. */
  readonly cpu: () => Promise<number>;
}

export interface Load {
  readonly requests: Requests;
  readonly answers: Answers;
  /** Clients, each of which asks again as soon as it is answered. */
  readonly concurrency: number;
  readonly milliseconds: number;
}

/** Puts a backend under load for some time. */
export async function drive(
  { pool, token, cpu }: Target,
  { requests, answers, concurrency, milliseconds }: Load,
): Promise<Slice> {
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${token}`,
  };
  const latencies: number[] = [];
  let wrong = 0;
  let wrongAnswer: string | undefined;
  const cpuBefore = await cpu();
  const begin = performance.now();
  const end = begin + milliseconds;
  const client = async (): Promise<void> => {
    for (;;) {
      const asked = performance.now();
      if (asked >= end) return;
      const request = requests();
      const response = await pool.request({
        method: 'POST',
        path: '/api/permission/authorize',
        headers,
        body: request.body,
      });
      const body = await response.body.text();
      latencies.push(performance.now() - asked);
      if (!answers.isRight(response.statusCode, body, request)) {
        wrong++;
        wrongAnswer ??= `HTTP ${response.statusCode} ${body.slice(0, 300)}`;
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  const elapsed = performance.now() - begin;
  const count = latencies.length;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.max(0, Math.ceil(count * share) - 1)] ?? NaN;
  return {
    requestsPerSecond: (count / elapsed) * 1000,
    cpu: ((await cpu()) - cpuBefore) / count,
    p50: at(0.5),
    p99: at(0.99),
    wrong,
    wrongAnswer,
  };
}
