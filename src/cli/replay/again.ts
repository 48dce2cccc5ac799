/** Decides recorded questions again by a table of now. */
import { canonical } from '../../lib/canonical';
import { withoutResource } from '../../policy';
import { outageOf } from '../../trace/facts';
import type { DecisionRecord } from '../../trace/record';
import { sentenceOf } from '../../trace/sentence';
import type { Principal } from '../../request';
import type { Criteria } from '../../verdict';
import type { Recorded } from '../decisions/recorded';
import type { LocalRouter } from '../local/local-router';
import { permissionOf } from '../permission';

/** Of one question, while OPA does not answer: a busy machine is no outage. */
const ATTEMPTS = 3;
/** Equal questions are decided once; the answers of so many are kept. */
const MAX_KEPT = 50_000;

/** What a table decides. */
export interface NewDecision {
  readonly kind: 'decided';
  readonly result: DecisionRecord['result'];
  /** The label of the route, or `fallback`; undefined if it is decided before routing. */
  readonly route: string | undefined;
  /** The sources that say what the result is; none for the fallback. */
  readonly by: readonly string[];
  /** Equal for conditions that are the same up to their order; undefined unless CONDITIONAL. */
  readonly conditions: string | undefined;
  /** Why, for operators. */
  readonly sentence: () => string;
}

export interface Undetermined {
  readonly kind: 'undetermined';
  /** Completes "undetermined: …". */
  readonly why: string;
}

const undetermined = (why: string): Undetermined => ({ kind: 'undetermined', why });

export class Again {
  private readonly kept = new Map<string, NewDecision | Undetermined>();

  /**
   * @param router - must decide questions as they are given.
   * @param knowsAllRules - whether the rules of the plugins are those of the backend.
   */
  constructor(
    private readonly router: LocalRouter,
    private readonly knowsAllRules: boolean,
  ) {}

  /** @param user - undefined for a request without a user. */
  async decide(
    recorded: Recorded,
    user: Principal | undefined,
  ): Promise<NewDecision | Undetermined> {
    const asker = recorded.asked?.type === 'basic' ? askerOf(recorded) : '';
    const { name, type, action, resourceType } = recorded.permission;
    const who = user && [user.userEntityRef, user.ownershipEntityRefs];
    const key = JSON.stringify([name, type, action, resourceType, who, asker]);
    let answer = this.kept.get(key);
    if (!answer) {
      answer = await this.ask(recorded, user, asker);
      if (this.kept.size >= MAX_KEPT) this.kept.clear();
      this.kept.set(key, answer);
    }
    return answer;
  }

  private async ask(
    { permission }: Recorded,
    user: Principal | undefined,
    asker: Asker | '',
  ): Promise<NewDecision | Undetermined> {
    let why: string | undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { record, missing } = await this.router.decide(
        permissionOf(permission),
        user,
      );
      const asked = namesIn(record);
      const absent = missing.filter(name => asked.has(name));
      if (absent.length > 0) return undetermined(`it needs ${absent.join(', ')}`);
      const rules = this.unknownRulesOf(record);
      if (rules !== undefined) return undetermined(rules);
      const outage = outageOf(record);
      if (!outage) return asker === '' ? decided(record) : this.short(record, asker);
      const { source = 'the router', failure } = outage;
      why = `${source} is ${failure.class} (${(failure.cause ?? failure).code})`;
    }
    return undetermined(why!);
  }

  /** What a question without a resource gets where the answer depends on the resource. */
  private short(record: DecisionRecord, asker: Asker): NewDecision | Undetermined {
    if (record.result !== 'CONDITIONAL') return decided(record);
    const { whenAskedWithoutResource } = this.router.table.startConfig.config;
    if (whenAskedWithoutResource === 'allow' && asker === 'unknown') {
      return undetermined(
        'with whenAskedWithoutResource: allow it matters whether a service asked for the user, which is not recorded',
      );
    }
    const isInPerson = whenAskedWithoutResource === 'allow' && asker === 'user';
    const { kind, reason } = withoutResource(
      isInPerson ? 'allow' : 'deny',
      isInPerson ? 'user' : undefined,
    );
    return decided({
      ...record,
      result: kind,
      reason,
      withoutResource: true,
      conditions: undefined,
    });
  }

  private unknownRulesOf({ sources }: DecisionRecord): string | undefined {
    const codes = sources.flatMap(({ failure, attempts = [] }) =>
      [failure, ...attempts.map(attempt => attempt.failure)].map(each => each?.code),
    );
    return codes.includes('UNVERIFIED') ||
      (!this.knowsAllRules && codes.includes('UNKNOWN_RULE'))
      ? "its conditions use rules that are not known here; save them with 'policy-router coverage --backend <url> --save metadata.json', and pass --metadata metadata.json"
      : undefined;
  }
}

type Asker = 'user' | 'other' | 'unknown';

/** Whether the user asked in person; a question without a resource may depend on it. */
function askerOf({ user, withoutResource: was, result, reason }: Recorded): Asker {
  if (user === undefined) return 'other';
  if (!was) return 'unknown';
  if (result === 'ALLOW') return 'user';
  return reason.endsWith('on behalf of the user') ? 'other' : 'unknown';
}

/** Of the sources that had a part in it. Under observe another one is asked, too. */
const namesIn = ({ sources }: DecisionRecord): ReadonlySet<string> =>
  new Set(
    sources.flatMap(({ source, attempts = [] }) => [
      source,
      ...attempts.map(attempt => attempt.source),
    ]),
  );

function decided(record: DecisionRecord): NewDecision {
  return {
    kind: 'decided',
    result: record.result,
    route: record.route,
    by: record.sources
      .filter(({ verdict }) => verdict === record.result)
      .map(({ source }) => source),
    conditions: record.conditions && sameText(record.conditions),
    // What the plugins declare has no part in it here.
    sentence: () => sentenceOf({ ...record, declared: undefined }),
  };
}

/** Equal for conditions that are the same, whatever the order of their parts. */
export const sameText = (conditions: Criteria): string => canonical(sorted(conditions));

function sorted(criteria: Criteria): unknown {
  if ('allOf' in criteria) return { allOf: sortedList(criteria.allOf) };
  if ('anyOf' in criteria) return { anyOf: sortedList(criteria.anyOf) };
  if ('not' in criteria) return { not: sorted(criteria.not) };
  return criteria;
}

const sortedList = (parts: readonly Criteria[]): unknown[] =>
  parts
    .map(part => ({ part: sorted(part), text: sameText(part) }))
    .sort((one, other) => (one.text < other.text ? -1 : 1))
    .map(({ part }) => part);
