import type { LoggerService } from '@backstage/backend-plugin-api';
import type { PermissionRequest } from '../../request';
import { regoAnswer } from '../rego/answer';
import { regoInput, regoInputText } from '../rego/input';
import { failed, type Answer } from '../../answer';
import type { LocalSource } from '../source';
import { evaluationProblem } from './evaluation-problem';
import { encodeJson } from './json-text';
import { LiveEvaluator } from './live-evaluator';

/**
 * The largest input, in bytes of JSON: 5,000 group refs of a hundred bytes fit. The limit keeps
 * evaluations short, because the backend does nothing else meanwhile.
 */
export const MAX_INPUT_BYTES = 512 * 1024;

export interface OpaWasmSourceOptions {
  /** Path of a `bundle.tar.gz` written by `opa build -t wasm`. */
  readonly bundle: string;
  /** Entrypoint the bundle was built with, e.g. `backstage_policy/decision`. */
  readonly entrypoint: string;
}

/**
 * A Rego policy compiled to WebAssembly and evaluated in this process, without a server or
 * network. A changed bundle is used as soon as it is noticed, without a restart.
 */
export class OpaWasmSource implements LocalSource {
  private constructor(private readonly evaluator: LiveEvaluator) {}

  /**
   * @param name - the source's name, for the log.
   * @throws Error naming the bundle if it cannot be read or lacks the entrypoint.
   */
  static async load(
    { bundle, entrypoint }: OpaWasmSourceOptions,
    name: string,
    logger: LoggerService,
  ): Promise<OpaWasmSource> {
    return new OpaWasmSource(
      await LiveEvaluator.load(bundle, entrypoint, name, logger),
    );
  }

  /** The Wasm memory in use now. */
  get memoryBytes(): number {
    return this.evaluator.current.memoryBytes;
  }

  ask(request: PermissionRequest): Answer {
    const input = regoInput(request);
    const { permission, identity } = regoInputText(request);
    const json = encodeJson(`{"permission":${permission},"identity":${identity}}`);
    if (json.byteLength > MAX_INPUT_BYTES) {
      return failed(
        'invalid',
        'INPUT_TOO_LARGE',
        `the input is larger than ${MAX_INPUT_BYTES} bytes of JSON; it was not evaluated`,
      );
    }
    let results: unknown;
    try {
      results = this.evaluator.current.evaluate(json);
    } catch (error) {
      return {
        ...failed('invalid', 'EVALUATION_FAILED', evaluationProblem(error)),
        exchange: { input },
      };
    }
    const exchange = { input, response: results };
    return { ...regoAnswer(firstResult(results)), exchange };
  }

  async close(): Promise<void> {
    this.evaluator.close();
  }
}

/** A result set is `[{ result }]`, and `[]` when the decision is undefined. */
function firstResult(results: unknown): unknown {
  if (!Array.isArray(results)) return results;
  return (results[0] as { result?: unknown } | undefined)?.result;
}
