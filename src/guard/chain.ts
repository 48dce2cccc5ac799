/**
 * A source at each of its endpoints, then its standbys. They are asked in turn, each only while
 * all before it were unavailable or overloaded, inside the one deadline of the decision:
 *
 *   source at its first endpoint → at its next … → standby → the standby's standby …
 *
 * Failures that are left become a verdict here and nowhere else.
 */
import {
  detailsOf,
  nameOf,
  problemOf,
  type Answer,
  type AnswerDetails,
  type Attempt,
  type Failed,
  type LinkName,
} from '../answer';
import type { ConditionCheck } from '../conditions/check';
import type { Deadline } from '../lib/deadline';
import type { PermissionRequest } from '../request';
import {
  allow,
  deny,
  type Failure,
  type OnUnavailable,
  type Verdict,
} from '../verdict';
import type { Askable } from './guard';

/** How the answers of a chain become a verdict. */
export interface Terms {
  readonly onUnavailable: OnUnavailable;
  readonly checkConditions: ConditionCheck;
}

export interface Link extends LinkName {
  readonly guard: Askable;
}

export interface ChainAnswer extends AnswerDetails {
  readonly verdict: Verdict;
  /** Where it was asked, if the source has several endpoints and the first one sufficed. */
  readonly endpoint?: string | undefined;
  /** The links that were asked, in this order, if there was more than one. */
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
    const { checkConditions } = this.terms;
    if (this.links.length === 1) {
      const answer = this.first.guard.ask(request, deadline, checkConditions);
      return answer instanceof Promise
        ? answer.then(said => this.alone(said))
        : this.alone(answer);
    }
    const started = performance.now();
    const proceed = (said: Answer): ChainAnswer | Promise<ChainAnswer> =>
      mayPassOn(said)
        ? this.askOthers(attemptOf(this.first, said, started), said, request, deadline)
        : this.alone(said);
    const answer = this.first.guard.ask(request, deadline, checkConditions);
    return answer instanceof Promise ? answer.then(proceed) : proceed(answer);
  }

  private alone(answer: Answer): ChainAnswer {
    const verdict =
      answer.kind === 'FAILED'
        ? resolveFailures([failureOf(this.first, answer)], this.terms.onUnavailable)
        : answer;
    return { verdict, endpoint: this.first.endpoint, ...detailsOf(answer) };
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
    const others = attempts
      .slice(1)
      .flatMap(link => (link.failure ? { link, failure: link.failure } : []));
    const failures = [{ link: first, failure }, ...others] as const;
    return { verdict: resolveFailures(failures, onUnavailable), attempts };
  }
}

/** Whether the next link is asked. A source that answered, even wrongly, is reachable. */
const mayPassOn = (answer: Answer): answer is Failed & Answer =>
  answer.kind === 'FAILED' && answer.failure.class !== 'invalid';

/** A standby that abstains decides nothing: the failure of its source remains. */
const decides = (link: LinkName, answer: Answer): answer is Exclude<Answer, Failed> =>
  answer.kind !== 'FAILED' && !(link.standby && answer.kind === 'NOT_APPLICABLE');

function attemptOf(link: LinkName, answer: Answer, started: number): Attempt {
  const { source, endpoint, standby } = link;
  const failure = answer.kind === 'FAILED' ? answer.failure : undefined;
  return {
    source,
    endpoint,
    standby,
    verdict: answer.kind,
    failure,
    milliseconds: performance.now() - started,
    ...detailsOf(answer),
  };
}

interface FailureOfLink {
  readonly link: LinkName;
  readonly failure: Failure;
}

const failureOf = (link: LinkName, { failure }: Failed): FailureOfLink => ({
  link,
  failure,
});

/**
 * The first failure represents them all. Fail-open allows only if every failure is an outage:
 * a single failure of another class denies.
 */
function resolveFailures(
  all: readonly [FailureOfLink, ...FailureOfLink[]],
  onUnavailable: OnUnavailable,
): Verdict {
  const [first] = all;
  const { failure } = first;
  const what = inWords(first);
  const other = all.find(each => each.failure.class !== 'unavailable');
  if (other) {
    const also = other === first ? '' : `; and then ${inWords(other)}`;
    return { ...deny(what + also), failure };
  }
  return onUnavailable === 'fail-open'
    ? { ...allow(`${what}; fail-open`), failure }
    : { ...deny(`${what}; fail-closed`), failure };
}

const inWords = ({ link, failure }: FailureOfLink): string =>
  `${nameOf(link)} is ${failure.class}: ${problemOf(failure)}`;
