import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface Ran {
  readonly code: number | null;
  /** The output of both streams. */
  readonly output: string;
}

/**
 * Starts a backend in a separate process that hosts what Node.js imports by this name, because
 * jest turns every `import()` into `require`.
 */
export async function runImporting(specifier: string): Promise<Ran> {
  const script = join(__dirname, '../fixtures/importing-backend.ts');
  const child = spawn(
    process.execPath,
    [require.resolve('tsx/cli'), script, specifier],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const code = await new Promise<number | null>(resolve =>
    child.once('close', resolve),
  );
  return { code, output };
}
