import { loadPolicy, type LoadedPolicy } from '@open-policy-agent/opa-wasm';
import type { PermissionRequest } from '../../request';
import { parseRegoDecision } from '../rego/answer';
import { regoInput } from '../rego/input';
import { failed, type Answer, type LocalSource } from '../source';
import { readBundle } from './bundle';

export interface OpaWasmSourceOptions {
  /** Path of a `bundle.tar.gz` written by `opa build -t wasm`. */
  readonly bundle: string;
  /** Entrypoint the bundle was built with, e.g. `backstage_policy/decision`. */
  readonly entrypoint: string;
}

/** A Rego policy compiled to WebAssembly, evaluated in this process; no server, no network. */
export class OpaWasmSource implements LocalSource {
  private constructor(
    private readonly policy: LoadedPolicy,
    private readonly entrypoint: string,
  ) {}

  /**
   * @throws Error naming the bundle if it cannot be read or lacks the entrypoint.
   */
  static async load(options: OpaWasmSourceOptions): Promise<OpaWasmSource> {
    const { bundle, entrypoint } = options;
    try {
      const { wasm, data } = await readBundle(bundle);
      const policy = await loadPolicy(wasm);
      policy.setData(data);
      const entrypoints = Object.keys(policy.entrypoints as object);
      if (!entrypoints.includes(entrypoint)) {
        throw new Error(
          `it has no entrypoint '${entrypoint}'; its entrypoints: ${entrypoints.join(', ')}`,
        );
      }
      return new OpaWasmSource(policy, entrypoint);
    } catch (error) {
      throw new Error(`the bundle '${bundle}' cannot be used: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  ask(request: PermissionRequest): Answer {
    const input = regoInput(request);
    let results: unknown;
    try {
      results = this.policy.evaluate(input, this.entrypoint);
    } catch (error) {
      return {
        ...failed('invalid', 'EVALUATION_FAILED', messageOf(error)),
        exchange: { input },
      };
    }
    const exchange = { input, response: results };
    return { ...parseRegoDecision(firstResult(results)), exchange };
  }

  async close(): Promise<void> {}
}

/** A result set is `[{ result }]`, and `[]` when the decision is undefined. */
function firstResult(results: unknown): unknown {
  if (!Array.isArray(results)) return results;
  return (results[0] as { result?: unknown } | undefined)?.result;
}

/** The evaluator throws strings and plain objects too. */
function messageOf(error: unknown): string {
  if (typeof error === 'string') return error;
  const message: unknown = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : 'unknown error';
}
