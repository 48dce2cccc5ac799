import type { LoggerService } from '@backstage/backend-plugin-api';
import type { PermissionRequest } from '../../request';
import { regoInput } from '../rego/input';
import { failed, type Answer } from '../../answer';
import type { LocalSource } from '../source';
import { evaluationProblem } from './evaluation-problem';
import { wasmInput } from './input';
import { bytesIn } from './instance';
import { LiveEvaluator } from './live-evaluator';
import { Results } from './results';

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
  private readonly results = new Results();

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

  /** @param permission - of the request, as JSON. */
  ask(
    request: PermissionRequest,
    permission = JSON.stringify(request.permission),
  ): Answer {
    const parts = wasmInput(permission, request.principal);
    if (bytesIn(parts) > MAX_INPUT_BYTES) {
      return failed(
        'invalid',
        'INPUT_TOO_LARGE',
        `the input is larger than ${MAX_INPUT_BYTES} bytes of JSON; it was not evaluated`,
      );
    }
    const input = regoInput(request);
    try {
      const results = this.evaluator.current.evaluate(parts);
      const { answer, response } = this.results.read(results);
      return { exchange: { input, response }, ...answer };
    } catch (error) {
      return {
        ...failed('invalid', 'EVALUATION_FAILED', evaluationProblem(error)),
        exchange: { input },
      };
    }
  }

  async close(): Promise<void> {
    this.evaluator.close();
  }
}
