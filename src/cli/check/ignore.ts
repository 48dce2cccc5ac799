import { WARNING_CODES } from '../../config/warnings';
import { CliError } from '../exit-code';
import { CHECK_CODES, type PlacedWarning } from './check-config';

export interface Silenced {
  /** Those that are not ignored. */
  readonly warnings: readonly PlacedWarning[];
  /** How many are ignored. */
  readonly ignored: number;
  /** What to ignore that does not occur. */
  readonly unused: readonly string[];
}

const ALL_CODES: readonly string[] = [...WARNING_CODES, ...CHECK_CODES];

/**
 * @param ignore - codes of warnings, or `CODE:place` for one place, such as `routes[3]`.
 * @throws CliError if there is no such code.
 */
export function silence(
  warnings: readonly PlacedWarning[],
  ignore: readonly string[],
): Silenced {
  for (const each of ignore) {
    const [code = ''] = each.split(':');
    if (ALL_CODES.includes(code)) continue;
    throw new CliError(
      `--ignore ${each}: there is no warning with the code '${code}'. The codes are: ${ALL_CODES.join(', ')}`,
    );
  }
  const isMeant = (each: string, { code, key }: PlacedWarning): boolean =>
    each === code || each === `${code}:${key}`;
  const kept = warnings.filter(warning => !ignore.some(each => isMeant(each, warning)));
  return {
    warnings: kept,
    ignored: warnings.length - kept.length,
    unused: ignore.filter(each => !warnings.some(warning => isMeant(each, warning))),
  };
}
