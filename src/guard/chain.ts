/**
 * A source, the further endpoints it has, and its standbys. They are asked in turn, each only
 * while all before it were unavailable or overloaded, inside the one deadline of the decision:
 *
 *   source at its first endpoint → at its next … → standby → the standby's standby …
 *
 * What is left of failures becomes a verdict here and nowhere else.
 */
import type { PermissionRequest } from '../request';
import type { Answer, Exchange, Failed } from '../sources/source';
import { allow, deny, type Failure, type Verdict } from '../verdict';
import type { ConditionCheck } from '../conditions/check';
import type { Deadline } from '../lib/deadline';
import type { Guard } from './guard';

/**
 * What an unavailable source counts as. `fail-closed`: DENY, nobody gets in while it is away.
 * `fail-open`: ALLOW, everybody does; a flood that makes the source time out does it too.
 */
export type OnUnavailable = 'fail-closed' | 'fail-open';

/** How the answers of a chain become a verdict. */
export interface Terms {
  readonly onUnavailable: OnUnavailable;
  readonly checkConditions: ConditionCheck;
}

/** Who is asked. */
export interface LinkName {
  readonly source: string;
  /** Where it is asked, if the source has several endpoints. */
  readonly endpoint?: string | undefined;
  /** True where it stands in for another source. */
  readonly standby: boolean;
}

export interface Link extends LinkName {
  readonly guard: Guard;
}

/** One link of a chain that was asked, and what it said. */
export interface Attempt extends LinkName {
  readonly verdict: Verdict['kind'] | 'FAILED';
  readonly failure?: Failure | undefined;
  /** Time it took, in milliseconds. */
  readonly milliseconds: number;
  /** Full input and response of an external policy; for the debug log only. */
  readonly exchange?: Exchange | undefined;
  /** True where the answer is that to another caller's identical question. */
  readonly shared?: boolean | undefined;
}

export interface ChainAnswer {
  readonly verdict: Verdict;
  readonly exchange?: Exchange | undefined;
  readonly shared?: boolean | undefined;
  /** Where it was asked, if the source has several endpoints and the first one sufficed. */
  readonly endpoint?: string | undefined;
  /** Those that were asked, in this order, where it was more than one. */
  readonly attempts?: readonly Attempt[];
}

export class Chain {
  private readonly first: Link;

  constructor(
    readonly links: readonly [Link, ...Link[]],
    readonly terms: Terms,
  ) {
    this.first = links[0];
  }

  /** Never throws and never rejects. */
  ask(
    request: PermissionRequest,
    deadline: Deadline,
  ): ChainAnswer | Promise<ChainAnswer> {
    const started = performance.now();
    const answer = this.first.guard.ask(request, deadline, this.terms.checkConditions);
    const proceed = (said: Answer): ChainAnswer | Promise<ChainAnswer> =>
      this.links.length > 1 && mayPassOn(said)
        ? this.askOthers(attemptOf(this.first, said, started), said, request, deadline)
        : this.alone(said);
    return answer instanceof Promise ? answer.then(proceed) : proceed(answer);
  }

  private alone(answer: Answer): ChainAnswer {
    const { exchange, shared } = answer;
    const verdict =
      answer.kind === 'FAILED'
        ? resolveFailure(answer.failure, [answer.failure], this.terms.onUnavailable)
        : answer;
    return { verdict, exchange, shared, endpoint: this.first.endpoint };
  }

  private async askOthers(
    first: Attempt,
    { failure }: Failed,
    request: PermissionRequest,
    deadline: Deadline,
  ): Promise<ChainAnswer> {
    const { checkConditions, onUnavailable } = this.terms;
    const attempts: Attempt[] = [first];
    for (const link of this.links.slice(1)) {
      const started = performance.now();
      const answer = await link.guard.ask(request, deadline, checkConditions);
      attempts.push(attemptOf(link, answer, started));
      if (decides(link, answer)) {
        const why = `said by ${nameOf(link)}, as ${nameOf(first)} is ${failure.class}`;
        const reason = `${answer.reason}; ${why}`;
        return { verdict: { ...answer, reason }, attempts };
      }
      if (!mayPassOn(answer)) break;
    }
    const failures = attempts.flatMap(attempt => attempt.failure ?? []);
    return { verdict: resolveFailure(failure, failures, onUnavailable), attempts };
  }
}

/** Whether the next link is asked. One that answered, if only nonsense, is not away. */
const mayPassOn = (answer: Answer): answer is Failed & Answer =>
  answer.kind === 'FAILED' && answer.failure.class !== 'invalid';

/** A standby without an opinion decides nothing: the failure of its source stands. */
const decides = (link: Link, answer: Answer): answer is Exclude<Answer, Failed> =>
  answer.kind !== 'FAILED' && !(link.standby && answer.kind === 'NOT_APPLICABLE');

/** For logs and reasons: `'opa' at http://10.0.0.1:8181`, `standby 'embedded'`. */
export const nameOf = ({ source, endpoint, standby }: LinkName): string =>
  `${standby ? 'standby ' : ''}'${source}'${endpoint === undefined ? '' : ` at ${endpoint}`}`;

function attemptOf(link: Link, answer: Answer, started: number): Attempt {
  const { source, endpoint, standby } = link;
  const failure = answer.kind === 'FAILED' ? answer.failure : undefined;
  return {
    source,
    endpoint,
    standby,
    verdict: answer.kind,
    failure,
    milliseconds: performance.now() - started,
    exchange: answer.exchange,
    shared: answer.shared,
  };
}

/**
 * The first failure stands for all. Fail-open opens only an outage: one other failure on the
 * way, and it denies.
 */
function resolveFailure(
  first: Failure,
  all: readonly Failure[],
  onUnavailable: OnUnavailable,
): Verdict {
  const what = `${first.class}: ${first.message}`;
  const other = all.find(failure => failure.class !== 'unavailable');
  if (other) {
    const also = other === first ? '' : `; and then ${other.class}: ${other.message}`;
    return { ...deny(what + also), failure: first };
  }
  return onUnavailable === 'fail-open'
    ? { ...allow(`${what}; fail-open`), failure: first }
    : { ...deny(`${what}; fail-closed`), failure: first };
}
