import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A folder whose files the kubelet puts in place: each change is one swap of a symlink. */
export class ConfigFolder {
  private version = 0;

  private constructor(readonly path: string) {}

  /** @param path - of a new folder. */
  static async make(
    path: string,
    files: Readonly<Record<string, string>>,
  ): Promise<ConfigFolder> {
    await mkdir(path, { recursive: true });
    const folder = new ConfigFolder(path);
    await folder.publish(files);
    for (const name of Object.keys(files)) {
      await symlink(join('..data', name), join(path, name));
    }
    return folder;
  }

  async publish(files: Readonly<Record<string, string>>): Promise<void> {
    const before = `..version-${this.version}`;
    const next = `..version-${++this.version}`;
    await mkdir(join(this.path, next));
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(this.path, next, name), text);
    }
    await symlink(next, join(this.path, '..data_tmp'));
    await rename(join(this.path, '..data_tmp'), join(this.path, '..data'));
    await rm(join(this.path, before), { recursive: true, force: true });
  }
}
