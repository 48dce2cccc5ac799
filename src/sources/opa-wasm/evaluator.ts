import type { LoadedPolicy } from '@open-policy-agent/opa-wasm';
import { memoryOf, type CompiledPolicy } from './compiled-policy';

/**
 * An instance whose memory has grown by more than this is replaced, in bytes: Wasm memory
 * never shrinks, and keeps the size of the largest evaluation.
 */
export const MAX_GROWTH = 16 * 1024 * 1024;

/** Evaluates one entrypoint of a policy, in an instance that is replaced when it should be. */
export class Evaluator {
  private instance: LoadedPolicy | undefined;

  constructor(
    private readonly policy: CompiledPolicy,
    private readonly entrypoint: string,
  ) {
    this.instance = policy.instantiate();
  }

  /** Of Wasm memory, now; 0 while there is no instance. */
  get memoryBytes(): number {
    return this.instance ? memoryOf(this.instance).buffer.byteLength : 0;
  }

  /**
   * @param input - JSON text.
   * @returns the result set: `[{ result }]`, and `[]` when the decision is undefined.
   * @throws anything when the policy breaks; the next evaluation has a new instance.
   */
  evaluate(input: ArrayBuffer): unknown {
    const instance = (this.instance ??= this.policy.instantiate());
    try {
      const results: unknown = instance.evaluate(input, this.entrypoint);
      if (this.memoryBytes - this.policy.memoryBytes > MAX_GROWTH) this.replace();
      return results;
    } catch (error) {
      // What was on its stack stays there: after some hundred errors it would trap for ever.
      this.instance = undefined;
      throw error;
    }
  }

  /** A grown instance is a sound one: it is kept if there is no room for another. */
  private replace(): void {
    try {
      this.instance = this.policy.instantiate();
    } catch {
      // Tried again after the next evaluation.
    }
  }
}
