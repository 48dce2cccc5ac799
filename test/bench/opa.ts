import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { batchRule, DEFAULT_RULE } from '../../src/sources/opa/batch-rule';
import { obtainOpa } from '../support/opa-binary';
import { startOpa } from '../support/opa-server';
import { ENTRYPOINT } from './authorize/contestants';
import type { RunningOpa } from './section';

/**
 * Starts one OPA that listens on TCP and on a Unix socket, with these policies and
 * the rule that `batch` names.
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
  const batch = join(folder, 'batch.rego');
  await writeFile(batch, batchRule(ENTRYPOINT, DEFAULT_RULE));
  const server = await startOpa({
    binary: opa.path,
    policies: [...policies, batch],
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
