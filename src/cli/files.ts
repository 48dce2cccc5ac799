import { readFileSync } from 'node:fs';
import { CliError } from './exit-code';

const WHY: Readonly<Record<string, string | undefined>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder; name a file of it',
  EACCES: 'you may not read it (EACCES)',
};

/**
 * @param path - relative to the working directory.
 * @throws CliError that says why it cannot be read.
 */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = (code && WHY[code]) ?? code ?? 'unknown error';
    throw new CliError(`${path} cannot be read: ${why}`);
  }
}
