import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { scope } from '../../trace/scope';
import { CliError } from '../exit-code';
import type { StarterFiles } from './presets';

/**
 * Writes the files, or none of them.
 *
 * @throws CliError that names the files that exist.
 */
export function writeNew(folder: string, files: StarterFiles): void {
  const existing = [...files.keys()].filter(path => existsSync(join(folder, path)));
  if (existing.length > 0) {
    throw new CliError(
      `Nothing is written, because init overwrites nothing and this exists:\n${existing
        .map(path => `  ${join(folder, path)}`)
        .join('\n')}\nRemove it, or name another folder with --dir.`,
    );
  }
  for (const [path, content] of files) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content, { flag: 'wx' });
  }
}

/** From `config/` in the folder to the `config` of the installed package, for editors. */
export function schemaFolder(folder: string): string {
  const inside = join('node_modules', scope.name, 'config');
  const from = resolve(folder, 'config');
  for (let parent = resolve(folder); ; parent = dirname(parent)) {
    const isLast = parent === dirname(parent);
    if (existsSync(join(parent, inside)) || isLast) {
      const root = isLast ? resolve(folder) : parent;
      return relative(from, join(root, inside)).replaceAll('\\', '/');
    }
  }
}
