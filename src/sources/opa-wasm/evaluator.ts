import type { LoadedPolicy } from '@open-policy-agent/opa-wasm';
import { memoryOf, type CompiledPolicy } from './compiled-policy';

/**
 * An instance whose memory has grown by more bytes than this is replaced: Wasm memory never
 * shrinks, so it keeps the size of the largest evaluation.
 */
export const MAX_GROWTH = 16 * 1024 * 1024;

/** Evaluates one entrypoint of a policy; replaces its instance after an error or much growth. */
export class Evaluator {
  private instance: LoadedPolicy | undefined;

  constructor(
    private readonly policy: CompiledPolicy,
    private readonly entrypoint: string,
    first = policy.instantiate(),
  ) {
    this.instance = first;
  }

  /** The Wasm memory in use now; 0 while there is no instance. */
  get memoryBytes(): number {
    return this.instance ? memoryOf(this.instance).buffer.byteLength : 0;
  }

  /**
   * @param input - JSON text.
   * @returns the result set: `[{ result }]`, and `[]` when the decision is undefined.
   * @throws anything when the policy fails; the next evaluation gets a new instance.
   */
  evaluate(input: ArrayBuffer): unknown {
    const instance = (this.instance ??= this.policy.instantiate());
    try {
      const results: unknown = instance.evaluate(input, this.entrypoint);
      if (this.memoryBytes - this.policy.memoryBytes > MAX_GROWTH) this.replace();
      return results;
    } catch (error) {
      // Its stack is not unwound: after 511 errors it would trap at every call.
      this.instance = undefined;
      throw error;
    }
  }

  /** A grown instance still works, so it is kept while there is no memory for another. */
  private replace(): void {
    try {
      this.instance = this.policy.instantiate();
    } catch {
      // The next evaluation tries again.
    }
  }
}
