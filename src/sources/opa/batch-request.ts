/** Many questions of one user in one request: its body, and the answers in the response. */
import { randomBytes } from 'node:crypto';
import type { Answer, Failed } from '../../answer';
import { cut } from '../../lib/bounded';
import { isJsonObject } from '../../lib/json-object';
import { quote } from '../../lib/quote';
import type { PermissionRequest } from '../../request';
import { regoAnswer } from '../rego/answer';
import { regoInput, regoInputText } from '../rego/input';
import type { BatchAnswer } from '../source';
import { BATCH_VERSION, ruleCommand } from './batch-rule';

/** Paths below `/v1/data/`, as configured. */
export interface BatchPaths {
  /** Of the rule that answers batches. */
  readonly rule: string;
  /** Of the decision that the rule must ask. */
  readonly entrypoint: string;
}

/** OPA, or what is in front of it, refuses the request itself, whatever it asks. */
const REFUSED = new Set(['HTTP_400', 'HTTP_401', 'HTTP_403', 'HTTP_404', 'HTTP_405']);

export class BatchRequest {
  /** Random, so that no answer can be that of another request. */
  private readonly ids: readonly string[];

  /** @param requests - at least one, all of one user. */
  constructor(
    private readonly requests: readonly PermissionRequest[],
    private readonly paths: BatchPaths,
  ) {
    const prefix = randomBytes(8).toString('hex');
    this.ids = requests.map((_, index) => `${prefix}-${index}`);
  }

  /** JSON in UTF-8: `{"input": {"identity": …, "permissions": {<id>: <permission>}}}`. */
  body(): Buffer {
    const texts = this.requests.map(regoInputText);
    const permissions = texts.map(
      ({ permission }, index) => `"${this.ids[index]}":${permission}`,
    );
    return Buffer.from(
      `{"input":{"identity":${texts[0]!.identity},"permissions":{${permissions.join(',')}}}}`,
    );
  }

  /**
   * @param result - of the response; undefined if the rule is undefined.
   * @param decisionId - by which OPA logs the request.
   */
  read(result: unknown, decisionId: string | undefined): BatchAnswer {
    const decisions = this.decisionsIn(result);
    if (typeof decisions === 'string') return { kind: 'UNUSABLE', problem: decisions };
    const answers = this.requests.map((request, index): Answer => {
      const id = this.ids[index]!;
      const decision = Object.hasOwn(decisions, id) ? decisions[id] : undefined;
      const batch = { id, questions: this.ids.length };
      return {
        ...regoAnswer(decision),
        exchange: { input: regoInput(request), response: { batch, result: decision } },
        decisionId,
        batched: this.ids.length,
      };
    });
    return { kind: 'ANSWERED', answers };
  }

  /**
   * @param failure - of the request itself, instead of a response.
   * @param response - as far as it is shown.
   */
  failed(failure: Failed, response: unknown): BatchAnswer {
    const { code, message } = failure.failure;
    if (REFUSED.has(code)) {
      return {
        kind: 'UNUSABLE',
        problem: `batch '${cut(this.paths.rule)}' cannot be asked: ${message}`,
      };
    }
    const exchange = { input: this.requests.map(regoInput), response };
    return { ...failure, exchange, batched: this.requests.length };
  }

  /** By id; or why there are none. */
  private decisionsIn(result: unknown): Record<string, unknown> | string {
    const { rule, entrypoint } = this.paths;
    const asks = `batch '${cut(rule)}'`;
    const load = `load what '${ruleCommand(entrypoint, rule)}' prints`;
    if (result === undefined) return `${asks} is not loaded in OPA; ${load}`;
    if (!isJsonObject(result) || !isJsonObject(result.decisions))
      return `${asks} is another rule than the router asks for; ${load}`;
    if (result.version !== BATCH_VERSION)
      return `${asks} is not of version ${BATCH_VERSION}; ${load}`;
    if (result.entrypoint !== entrypoint) {
      const other =
        typeof result.entrypoint === 'string'
          ? quote(result.entrypoint)
          : 'another one';
      return `${asks} was made for entrypoint ${other}, not for '${cut(entrypoint)}'; ${load}`;
    }
    const ids = new Set(this.ids);
    if (Object.keys(result.decisions).some(id => !ids.has(id)))
      return `${asks} answers questions that were not asked; ${load}`;
    return result.decisions;
  }
}
