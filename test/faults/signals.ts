import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { until } from '../support/until';

/** A signal takes effect shortly after it was sent. */
export async function untilStopped(pid: number): Promise<void> {
  await until(async () => {
    const { stdout } = await promisify(execFile)('ps', [
      '-o',
      'state=',
      '-p',
      String(pid),
    ]);
    return stdout.trim().startsWith('T');
  }, `process ${pid} was stopped`);
}
