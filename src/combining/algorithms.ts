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
  type Verdict,
} from '../verdict';
import { allOf, anyOf } from '../conditions/algebra';

export const ALGORITHMS = [
  'deny-overrides',
  'allow-overrides',
  'first-applicable',
] as const;
export type CombiningAlgorithm = (typeof ALGORITHMS)[number];

/** Takes verdicts one by one, so that no further source is asked once the result is settled. */
export interface Accumulator {
  add(verdict: Verdict): void;
  /** True once no further verdict can change the result. */
  readonly settled: boolean;
  /** The combined verdict; undefined if no verdict was applicable. */
  result(): ApplicableVerdict | undefined;
}

export function createAccumulator(algorithm: CombiningAlgorithm): Accumulator {
  switch (algorithm) {
    case 'deny-overrides':
      return new Junction('DENY', 'ALLOW', allOf);
    case 'allow-overrides':
      return new Junction('ALLOW', 'DENY', anyOf);
    case 'first-applicable':
      return new FirstApplicable();
  }
}

type Join = typeof allOf;

/**
 * AND and OR are duals: one constant dominates and settles the result, the other is neutral, and
 * conditions are joined.
 */
class Junction implements Accumulator {
  private dominant: ApplicableVerdict | undefined;
  private neutral: ApplicableVerdict | undefined;
  private readonly conditionals: Conditional[] = [];
  /** All conditionals so far, as one verdict. */
  private joined: ApplicableVerdict | undefined;

  constructor(
    private readonly dominantKind: 'ALLOW' | 'DENY',
    private readonly neutralKind: 'ALLOW' | 'DENY',
    private readonly join: Join,
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
    return this.dominant ?? this.joined ?? this.neutral;
  }

  /** Conditions that contradict each other, or cannot be joined, count as any other DENY. */
  private addConditional(verdict: Conditional): void {
    this.conditionals.push(verdict);
    this.joined = joinConditionals(this.conditionals, this.join);
    if (this.joined.kind === this.dominantKind) this.dominant = this.joined;
  }
}

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
function joinConditionals(
  verdicts: readonly Conditional[],
  join: Join,
): ApplicableVerdict {
  const [first, ...others] = verdicts;
  if (!first) throw new Error('no conditional verdict to join');
  if (others.length === 0) return first;
  const mismatch = others.find(
    other =>
      other.pluginId !== first.pluginId || other.resourceType !== first.resourceType,
  );
  if (mismatch) {
    return deny(
      `conditions of '${first.pluginId}' (${quote(first.resourceType)}) and '${mismatch.pluginId}' ` +
        `(${quote(mismatch.resourceType)}) cannot be combined: Backstage applies all conditions of a decision in one plugin, to one resource type`,
    );
  }
  const conditions = join(verdicts.map(verdict => verdict.conditions));
  const reason = verdicts.map(verdict => verdict.reason).join('; ');
  return conditions === undefined
    ? deny(
        `${reason}; together they contradict each other, so no resource can meet them`,
      )
    : conditional(reason, { ...first, conditions });
}

/** What a route answers when none of its sources is applicable. */
export const routeDefault = (value: 'allow' | 'deny'): ApplicableVerdict =>
  value === 'allow'
    ? allow("no source was applicable: the route's default is allow")
    : deny("no source was applicable: the route's default is deny");
