import { readFileSync } from 'node:fs';
import { CliError } from './exit-code';

/**
 * @param path - relative to the working directory.
 * @throws CliError that says why it cannot be read.
 */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : (code ?? 'unknown error');
    throw new CliError(`${path} cannot be read: ${why}`);
  }
}
