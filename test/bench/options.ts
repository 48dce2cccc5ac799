import { parseArgs } from 'node:util';

export const USAGE =
  'usage: npm run bench -- [--quick] [--write] [--only <section>]... ' +
  '[--contestants <id>,...] [--against <checkout>]';

export interface Options {
  readonly quick: boolean;
  readonly write: boolean;
  /** Sections; all if undefined. */
  readonly only: readonly string[] | undefined;
  /** All if undefined. */
  readonly contestants: readonly string[] | undefined;
  /** The folder of another checkout. */
  readonly against: string | undefined;
}

/**
 * @param sections - for `--only`.
 * @param known - for `--contestants`.
 * @throws Error that begins with USAGE.
 */
export function readOptions(
  args: readonly string[],
  sections: readonly string[],
  known: readonly string[],
): Options {
  const refuse = (why: string): never => {
    throw new Error(`${USAGE}\n${why}`);
  };
  const read = () => {
    try {
      return parseArgs({
        args: [...args],
        options: {
          quick: { type: 'boolean', default: false },
          write: { type: 'boolean', default: false },
          only: { type: 'string', multiple: true },
          contestants: { type: 'string' },
          against: { type: 'string' },
        },
      }).values;
    } catch (error) {
      return refuse((error as Error).message);
    }
  };
  const { quick, write, only, contestants, against } = read();
  const unknown = only?.filter(id => !sections.includes(id)) ?? [];
  if (unknown.length > 0) {
    refuse(
      `no section is named ${unknown.join(', ')}; they are ${sections.join(', ')}`,
    );
  }
  const chosen = contestants?.split(',');
  const strangers = chosen?.filter(id => !known.includes(id)) ?? [];
  if (strangers.length > 0) {
    refuse(
      `no contestant is named ${strangers.join(', ')}; they are ${known.join(', ')}`,
    );
  }
  if (write && (only || contestants || against)) {
    refuse('--write needs a run of all sections and contestants');
  }
  return { quick, write, only, contestants: chosen, against };
}
