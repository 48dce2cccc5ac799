import type { CompiledPolicy } from './compiled-policy';
import { Instance, type InputPart } from './instance';

/**
 * An instance whose memory has grown by more bytes than this is replaced: Wasm memory never
 * shrinks, so it keeps the size of the largest evaluation.
 */
export const MAX_GROWTH = 16 * 1024 * 1024;

/** Evaluates one entrypoint of a policy; replaces its instance after an error or much growth. */
export class Evaluator {
  private instance: Instance | undefined;

  constructor(
    private readonly policy: CompiledPolicy,
    private readonly entrypoint: string,
    first = policy.instantiate(),
  ) {
    this.instance = new Instance(first, entrypoint);
  }

  /** The Wasm memory in use now; 0 while there is no instance. */
  get memoryBytes(): number {
    return this.instance?.memoryBytes ?? 0;
  }

  /**
   * @param input - JSON, in pieces.
   * @returns the result set as JSON text: `[{"result": …}]`, and `[]` when the decision is
   *   undefined.
   * @throws anything when the policy fails; the next evaluation gets a new instance.
   */
  evaluate(input: readonly InputPart[]): string {
    const instance = (this.instance ??= this.instantiate());
    try {
      const results = instance.evaluate(input);
      if (instance.memoryBytes - this.policy.memoryBytes > MAX_GROWTH) this.replace();
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
      this.instance = this.instantiate();
    } catch {
      // The next evaluation tries again.
    }
  }

  private instantiate(): Instance {
    return new Instance(this.policy.instantiate(), this.entrypoint);
  }
}
