import { execFile } from 'node:child_process';
import {
  lstat,
  mkdir,
  open,
  rename,
  rm,
  rmdir,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { promisify } from 'node:util';

/** What a path may lead to that is not a file one can read. */
export const ODD_FILES = ['fifo', 'folder', 'device', 'huge'] as const;
export type OddFile = (typeof ODD_FILES)[number];

const HUGE_BYTES = 100 * 2 ** 20;

/** Puts it in place of the file. */
export async function replaceByOdd(file: string, kind: OddFile): Promise<void> {
  const odd = `${file}.odd`;
  switch (kind) {
    case 'fifo':
      // Whoever opens it waits for a writer, and there is none.
      await promisify(execFile)('mkfifo', [odd]);
      return rename(odd, file);
    case 'folder':
      await rm(file, { force: true });
      await mkdir(file);
      return;
    case 'device':
      // It never ends.
      await symlink('/dev/zero', odd);
      return rename(odd, file);
    case 'huge':
      await truncated(odd, HUGE_BYTES);
      return rename(odd, file);
  }
}

/** Puts a file with this content in place of whatever is there. */
export async function putBack(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content);
  // A file can replace anything at once but a folder.
  if ((await lstat(file)).isDirectory()) await rmdir(file);
  await rename(`${file}.new`, file);
}

/** A sparse file: it has a size, but takes no space. */
async function truncated(path: string, bytes: number): Promise<void> {
  const handle = await open(path, 'w');
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
}
