import { errorName } from '../../lib/foreign-error';
import { quote } from '../../lib/quote';
import { MAX_EVALUATION_MEMORY } from './compiled-policy';

/**
 * What made an evaluation break, in words that repeat no value of the input or of the policy:
 * of what the evaluator says, only what is known to hold none. It throws strings and plain
 * objects too.
 */
export function evaluationProblem(error: unknown): string {
  const message = messageOf(error);
  const [, place] = CONFLICT.exec(message) ?? [];
  if (place !== undefined)
    return `two rules contradict each other, at ${quote(place)} (eval_conflict_error)`;
  const [, builtin] = MISSING_BUILTIN.exec(message) ?? [];
  if (builtin !== undefined)
    return `the policy calls ${builtin}, a built-in function that the evaluator does not have`;
  if (OUT_OF_MEMORY.test(message))
    return `the evaluation took more than ${MAX_EVALUATION_MEMORY} bytes of Wasm memory`;
  return `the evaluation broke (${errorName(error) ?? typeof error})`;
}

/** With the file, line and column of the Rego; of the path only the name of the file. */
const CONFLICT =
  /^(?:.*\/)?([^/]+:\d+:\d+): (?:var assignment|object insert) conflict$/;
const MISSING_BUILTIN =
  /^not implemented: built-in function \d+: ([a-z_][\w.]{0,99})$/i;
/** Of the policy's own allocator, and of the engine when the input does not fit. */
const OUT_OF_MEMORY =
  /^opa_malloc: failed$|^WebAssembly\.Memory\.grow\(\): Maximum memory size exceeded$/;

function messageOf(error: unknown): string {
  if (typeof error === 'string') return error;
  const { message } = Object(error) as { message?: unknown };
  return typeof message === 'string' ? message : '';
}
