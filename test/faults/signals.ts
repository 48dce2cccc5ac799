import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A signal is obeyed a little after it was sent. */
export async function untilStopped(pid: number): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    const { stdout } = await promisify(execFile)('ps', [
      '-o',
      'state=',
      '-p',
      String(pid),
    ]);
    if (stdout.trim().startsWith('T')) return;
    await delay(10);
  }
  throw new Error(`process ${pid} goes on`);
}
