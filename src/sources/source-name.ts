import { quote } from '../lib/quote';
import { isBuiltIn } from './kinds';

/** What is wrong with the name of a source; undefined if nothing is. */
export function sourceNameProblem(name: string): string | undefined {
  if (isBuiltIn(name)) {
    return `the name '${name}' is taken by the built-in source`;
  }
  // Backstage drops the key `__proto__` of a config.
  return /^[^\s\p{C}]{1,64}$/u.test(name) && name !== '__proto__'
    ? undefined
    : `the name ${quote(name)} must have 1 to 64 characters, without white space or control characters`;
}
