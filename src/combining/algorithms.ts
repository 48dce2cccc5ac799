/**
 * Combining algorithms: several verdicts become one.
 *
 * A verdict is a formula over the resource: ALLOW is true, DENY is false, CONDITIONAL is its
 * conditions. NOT_APPLICABLE takes no part. Over the applicable verdicts, in the listed order:
 *
 * - `deny-overrides` is the AND of all; a DENY settles it.
 * - `allow-overrides` is the OR of all; an ALLOW settles it (XACML 3.0 permit-overrides).
 * - `first-applicable` is the first; an unmet condition is a DENY, so the next is not asked.
 *
 * The guard has already resolved failures to DENY or ALLOW, so none arrives here.
 */
import { quote } from '../lib/quote';
import {
  allow,
  conditional,
  deny,
  type ApplicableVerdict,
  type Conditional,
  type Conditions,
  type Deny,
  type Verdict,
} from '../verdict';
import { allOf, anyOf } from '../conditions/algebra';
import { nodesIn } from '../conditions/tree';

export const ALGORITHMS = [
  'deny-overrides',
  'allow-overrides',
  'first-applicable',
] as const;
export type CombiningAlgorithm = (typeof ALGORITHMS)[number];

/** Takes verdicts one by one, so that no further source is asked once the result is settled. */
export interface Accumulator {
  add(verdict: Verdict): void;
  /**
   * True once it is seen that no further verdict can change the result; of many conditions, that
   * they contradict each other may be seen later.
   */
  readonly settled: boolean;
  /** The combined verdict; undefined if no verdict was applicable. */
  result(): ApplicableVerdict | undefined;
}

/** What is too large about conditions; undefined if they are within the limits. */
export type Excess = (conditions: Conditions) => string | undefined;

/** The conditions of several sources are too large together, which is DENY. */
export interface TooLarge extends Deny {
  readonly tooLarge: true;
}

export const isTooLarge = (verdict: ApplicableVerdict): verdict is TooLarge =>
  'tooLarge' in verdict;

/**
 * @param excessOf - limits the combined conditions; those of one source are within the limits.
 * The reason of a verdict that is too large is what it returns.
 */
export function createAccumulator(
  algorithm: CombiningAlgorithm,
  excessOf: Excess,
): Accumulator {
  switch (algorithm) {
    case 'deny-overrides':
      return new Junction('DENY', 'ALLOW', new Joined(allOf, excessOf));
    case 'allow-overrides':
      return new Junction('ALLOW', 'DENY', new Joined(anyOf, excessOf));
    case 'first-applicable':
      return new FirstApplicable();
  }
}

/**
 * AND and OR are duals: one constant dominates and settles the result, the other is neutral, and
 * conditions are joined.
 */
class Junction implements Accumulator {
  private dominant: ApplicableVerdict | undefined;
  private neutral: ApplicableVerdict | undefined;

  constructor(
    private readonly dominantKind: 'ALLOW' | 'DENY',
    private readonly neutralKind: 'ALLOW' | 'DENY',
    private readonly joined: Joined,
  ) {}

  get settled(): boolean {
    return this.dominant !== undefined;
  }

  add(verdict: Verdict): void {
    if (this.settled) return;
    if (verdict.kind === 'CONDITIONAL') this.addConditional(verdict);
    else if (verdict.kind === this.dominantKind) this.dominant = verdict;
    else if (verdict.kind === this.neutralKind) this.neutral ??= verdict;
  }

  result(): ApplicableVerdict | undefined {
    const joined = this.dominant ? undefined : this.joined.verdict;
    this.notice(joined);
    return this.dominant ?? joined ?? this.neutral;
  }

  private addConditional(conditional: Conditional): void {
    this.joined.add(conditional);
    this.notice(this.joined.soFar);
  }

  /** Conditions that contradict each other, or cannot be joined, count as any other DENY. */
  private notice(joined: ApplicableVerdict | undefined): void {
    if (joined?.kind === this.dominantKind) this.dominant = joined;
  }
}

/** How the reason ends where no resource can meet the conditions of all sources. */
export const CONTRADICTION =
  'together they contradict each other, so no resource can meet them';

/** In nodes: up to this size conditions are joined at once, so that a contradiction is seen at once. */
const SMALL = 16;

/**
 * The conditionals of a route as one verdict. Joining costs as much as all that is joined, so
 * further conditions are collected until they are as many as those joined before.
 */
class Joined {
  private first: Conditional | undefined;
  /** Joined so far; undefined if no resource can meet them. */
  private conditions: Conditions | undefined;
  private nodes = 0;
  private pending: Conditions[] = [];
  private pendingNodes = 0;
  private readonly reasons: string[] = [];
  /** Nothing that is joined later could mend it. */
  private refusal: ApplicableVerdict | undefined;

  constructor(
    private readonly join: typeof allOf,
    private readonly excessOf: Excess,
  ) {}

  /** Undefined if there are none. */
  get verdict(): ApplicableVerdict | undefined {
    this.joinPending();
    return this.soFar;
  }

  /** Of what is joined. */
  get soFar(): ApplicableVerdict | undefined {
    const { first, conditions, reasons } = this;
    if (this.refusal || !first) return this.refusal;
    if (reasons.length === 1) return first;
    const reason = reasons.join('; ');
    return conditions === undefined
      ? deny(`${reason}; ${CONTRADICTION}`)
      : conditional(reason, { ...first, conditions });
  }

  add(next: Conditional): void {
    if (this.refusal) return;
    this.reasons.push(next.reason);
    const nodes = nodesIn(next.conditions);
    if (!this.first) {
      this.first = next;
      this.conditions = next.conditions;
      this.nodes = nodes;
      return;
    }
    this.refusal = mismatch(this.first, next);
    this.pending.push(next.conditions);
    this.pendingNodes += nodes;
    const isSmall = this.nodes + this.pendingNodes <= SMALL;
    if (isSmall || this.pendingNodes >= this.nodes) this.joinPending();
  }

  private joinPending(): void {
    if (this.refusal || this.pending.length === 0) return;
    const { conditions, pending } = this;
    this.conditions = this.join(
      conditions === undefined ? pending : [conditions, ...pending],
    );
    this.pending = [];
    this.pendingNodes = 0;
    this.nodes = this.conditions === undefined ? 0 : nodesIn(this.conditions);
    const excess = this.conditions && this.excessOf(this.conditions);
    if (excess !== undefined) this.refusal = tooLarge(excess);
  }
}

const tooLarge = (reason: string): TooLarge => ({ ...deny(reason), tooLarge: true });

class FirstApplicable implements Accumulator {
  private first: ApplicableVerdict | undefined;

  get settled(): boolean {
    return this.first !== undefined;
  }

  add(verdict: Verdict): void {
    if (verdict.kind !== 'NOT_APPLICABLE') this.first ??= verdict;
  }

  result(): ApplicableVerdict | undefined {
    return this.first;
  }
}

/** Backstage applies a decision in one plugin, so conditions of two plugins cannot be joined. */
function mismatch(first: Conditional, other: Conditional): Deny | undefined {
  if (other.pluginId === first.pluginId && other.resourceType === first.resourceType) {
    return undefined;
  }
  return deny(
    `conditions of '${first.pluginId}' (${quote(first.resourceType)}) and '${other.pluginId}' ` +
      `(${quote(other.resourceType)}) cannot be combined: Backstage applies all conditions of a decision in one plugin, to one resource type`,
  );
}

/** What a route answers when none of its sources is applicable. */
export const routeDefault = (value: 'allow' | 'deny'): ApplicableVerdict =>
  value === 'allow'
    ? allow("no source was applicable: the route's default is allow")
    : deny("no source was applicable: the route's default is deny");
