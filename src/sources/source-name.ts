import { quote } from '../lib/quote';
import { isBuiltIn } from './kinds';

/** What is wrong with this name of a source; undefined if nothing is. */
export function sourceNameProblem(name: string): string | undefined {
  if (isBuiltIn(name)) {
    return `the name '${name}' is reserved for the built-in source`;
  }
  if (name === '__proto__') {
    return `the name '${name}' cannot be used: Backstage drops this key from the config`;
  }
  return /^[^\s\p{C}]{1,64}$/u.test(name)
    ? undefined
    : `the name ${quote(name)} must have 1 to 64 characters, without white space or control characters`;
}
