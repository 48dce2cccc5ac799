import { errorName } from '../../lib/foreign-error';
import { quote } from '../../lib/quote';
import { MAX_EVALUATION_MEMORY } from './compiled-policy';

/**
 * Why an evaluation failed, without any value of the input or of the policy: the evaluator's
 * own message is used only where its form is known to hold none. The evaluator throws strings
 * and plain objects too.
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
    return `the evaluation used more than ${MAX_EVALUATION_MEMORY} bytes of Wasm memory`;
  return `the evaluation failed (${errorName(error) ?? typeof error})`;
}

/** Captures file, line and column of the Rego; the folders are left out. */
const CONFLICT =
  /^(?:.*\/)?([^/]+:\d+:\d+): (?:var assignment|object insert) conflict$/;
const MISSING_BUILTIN =
  /^not implemented: built-in function \d+: ([a-z_][\w.]{0,99})$/i;
/** From the policy's own allocator, or from the engine when the input does not fit. */
const OUT_OF_MEMORY =
  /^opa_malloc: failed$|^WebAssembly\.Memory\.grow\(\): Maximum memory size exceeded$/;

function messageOf(error: unknown): string {
  if (typeof error === 'string') return error;
  const { message } = Object(error) as { message?: unknown };
  return typeof message === 'string' ? message : '';
}
