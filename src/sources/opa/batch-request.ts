/** Many questions of one user in one request: its body, and the answers in the response. */
import { randomInt } from 'node:crypto';
import type { Answer, Failed } from '../../answer';
import { cut } from '../../lib/bounded';
import { isJsonObject } from '../../lib/json-object';
import { quote } from '../../lib/quote';
import { regoAnswer } from '../rego/answer';
import { regoInput } from '../rego/input';
import type { BatchAnswer, BatchQuestion } from '../source';
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

/** Ids are numbers of ten digits: V8 reads them at a tenth of what it takes to read new names. */
const FIRST_ID = 1_000_000_000;
const LAST_ID = 4_000_000_000;

export class BatchRequest {
  /** From a random one on: what answers another request has other ids, but for one in 10 million. */
  private readonly ids: readonly string[];

  /** @param questions - at least one, all of one user. */
  constructor(
    private readonly questions: readonly BatchQuestion[],
    private readonly paths: BatchPaths,
  ) {
    const first = randomInt(FIRST_ID, LAST_ID);
    this.ids = questions.map((_, index) => String(first + index));
  }

  /** JSON in UTF-8: `{"input": {"identity": …, "permissions": {<id>: <permission>}}}`. */
  body(): Buffer {
    const permissions = this.questions.map(
      ({ key }, index) => `"${this.ids[index]}":${key.what}`,
    );
    const identity = this.questions[0]!.key.who;
    return Buffer.from(
      `{"input":{"identity":${identity},"permissions":{${permissions.join(',')}}}}`,
    );
  }

  /**
   * @param result - of the response; undefined if the rule is undefined.
   * @param decisionId - by which OPA logs the request.
   */
  read(result: unknown, decisionId: string | undefined): BatchAnswer {
    const decisions = this.decisionsIn(result);
    if (typeof decisions === 'string') return { kind: 'UNUSABLE', problem: decisions };
    const questions = this.ids.length;
    const answers = this.questions.map(({ request }, index): Answer => {
      const id = this.ids[index]!;
      const decision = Object.hasOwn(decisions, id) ? decisions[id] : undefined;
      const response = { batch: { id, questions }, result: decision };
      return {
        exchange: { input: regoInput(request), response },
        decisionId,
        batched: questions,
        ...regoAnswer(decision),
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
    const exchange = {
      input: this.questions.map(({ request }) => regoInput(request)),
      response,
    };
    return { ...failure, exchange, batched: this.questions.length };
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
    const { decisions } = result;
    const answered = this.ids.filter(id => Object.hasOwn(decisions, id)).length;
    if (Object.keys(decisions).length > answered)
      return `${asks} answers questions that were not asked; ${load}`;
    return decisions;
  }
}
