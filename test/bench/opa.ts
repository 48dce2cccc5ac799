import { join } from 'node:path';
import { obtainOpa } from '../support/opa-binary';
import { startOpa } from '../support/opa-server';
import type { RunningOpa } from './section';

/**
 * Starts one OPA that listens on TCP and on a Unix socket, with these policies.
 *
 * @throws Error if no OPA can be obtained, with the reason.
 */
export async function startBenchOpa(
  folder: string,
  policies: readonly string[],
): Promise<RunningOpa & { stop(): Promise<void> }> {
  const opa = await obtainOpa();
  if (opa.path === undefined) throw new Error(`the benchmark needs OPA: ${opa.reason}`);
  const socket = join(folder, 'opa.sock');
  const server = await startOpa({
    binary: opa.path,
    policies,
    // At level info it writes two lines per decision, which this process would have to read.
    args: ['--log-level', 'error', '--addr', `unix://${socket}`],
  });
  return {
    binary: opa.path,
    url: server.url,
    socket: `unix:${socket}`,
    stop: () => server.stop(),
  };
}
