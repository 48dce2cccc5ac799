import type { LoadedPolicy } from '@open-policy-agent/opa-wasm';
import { memoryOf, PAGE } from './compiled-policy';

/** A piece of the input, which is JSON: text, or text that is encoded already. */
export type InputPart = string | Uint8Array;

export const bytesIn = (input: readonly InputPart[]): number =>
  input.reduce((sum, part) => sum + Buffer.byteLength(part), 0);

/** The function of the policy that evaluates it, as of version 1.2 of its binary interface. */
type Evaluate = (
  reserved: 0,
  entrypoint: number,
  data: number,
  input: number,
  inputBytes: number,
  heap: number,
  format: typeof AS_JSON,
) => number;

/** Of results; the other one is Rego's. */
const AS_JSON = 0;

/**
 * One instance of a policy, with one entrypoint. It calls the policy as `LoadedPolicy.evaluate`
 * does, but writes the input where it is read, finds the end of the result without looking at each
 * byte in JavaScript, and leaves parsing it to the caller, who may know the text.
 */
export class Instance {
  private readonly call: Evaluate;
  private readonly entrypoint: number;
  private bytes: Buffer;

  constructor(
    private readonly policy: LoadedPolicy,
    entrypoint: string,
  ) {
    const { exports } = policy.wasmInstance as unknown as {
      exports: { opa_eval: Evaluate };
    };
    this.call = exports.opa_eval;
    this.entrypoint = (policy.entrypoints as Record<string, number>)[entrypoint]!;
    this.bytes = Buffer.from(memoryOf(policy).buffer);
  }

  /** Its Wasm memory. */
  get memoryBytes(): number {
    return memoryOf(this.policy).buffer.byteLength;
  }

  /**
   * @param input - written one after the other.
   * @returns the result set as JSON text.
   * @throws anything when the policy fails; the instance must not be used again.
   */
  evaluate(input: readonly InputPart[]): string {
    const { dataAddr } = this.policy;
    const start = this.policy.dataHeapPtr as number;
    const end = this.write(input, start);
    const result = this.call(
      0,
      this.entrypoint,
      dataAddr,
      start,
      end - start,
      end,
      AS_JSON,
    );
    const bytes = this.memory();
    return bytes.toString('utf8', result, bytes.indexOf(0, result));
  }

  /** @returns where it ends. */
  private write(input: readonly InputPart[], start: number): number {
    this.reserve(start + bytesIn(input));
    const bytes = this.memory();
    let end = start;
    for (const part of input) {
      if (typeof part === 'string') {
        end += bytes.write(part, end);
      } else {
        bytes.set(part, end);
        end += part.length;
      }
    }
    return end;
  }

  private reserve(bytes: number): void {
    const missing = bytes - this.memoryBytes;
    if (missing > 0) memoryOf(this.policy).grow(Math.ceil(missing / PAGE));
  }

  /** Growth moves it. */
  private memory(): Buffer {
    const { buffer } = memoryOf(this.policy);
    if (this.bytes.buffer !== buffer) this.bytes = Buffer.from(buffer);
    return this.bytes;
  }
}
