/** A recorded decision, compared with what a table decides now. */
import { constantAllow, constantDeny } from '../../sources/constant/kind';
import { isOfOutage, type Recorded } from '../decisions/recorded';
import type { LocalRouter } from '../local/local-router';
import type { Principal } from '../../request';
import { permissionOf } from '../permission';
import { sameText, type Again, type NewDecision, type Undetermined } from './again';

/** What was compared. */
export type Compared =
  | { readonly kind: 'result' }
  /** What the result would be is not known: the line lacks what is needed to decide it again. */
  | { readonly kind: 'route'; readonly why: 'without-refs' | 'without-conditions' };

export interface Change {
  /** What decides now. `result` is undefined if it is not known. */
  readonly to: {
    readonly result: NewDecision['result'] | undefined;
    readonly route: string | undefined;
  };
  /** The sources that say so; of a route that was only found, those that it asks. */
  readonly by: readonly string[];
  readonly conditionsDiffer: boolean;
  /** Why, for operators; undefined if it was not decided. */
  readonly sentence: (() => string) | undefined;
}

export type Comparison =
  | Undetermined
  | (Compared & {
      /** Undefined if it is the same decision. */
      readonly change?: Change;
      /** Whether another route decides, or its sources are others. */
      readonly isRouteOther: boolean;
    });

export class Comparer {
  constructor(
    private readonly router: LocalRouter,
    private readonly again: Pick<Again, 'decide'>,
  ) {}

  async compare(recorded: Recorded): Promise<Comparison> {
    const who = whoOf(recorded);
    if (who === 'unknown') {
      return { kind: 'undetermined', why: 'it is not recorded who asked' };
    }
    if (who === 'without-refs' && this.needsRefs(recorded)) {
      return this.byRoute(recorded, 'without-refs');
    }
    const user = who === 'without-refs' ? { ...userOf(recorded) } : who.principal;
    const now = await this.again.decide(recorded, user);
    if (now.kind === 'undetermined') return now;
    const isConditional =
      now.result === 'CONDITIONAL' && recorded.result === now.result;
    if (isConditional && !recorded.conditions) {
      return this.byRoute(recorded, 'without-conditions');
    }
    const conditionsDiffer =
      isConditional && sameText(recorded.conditions!) !== now.conditions;
    const { result, route, by, sentence } = now;
    const isRouteOther = route !== recorded.route;
    const isSame = result === recorded.result && !conditionsDiffer;
    return {
      kind: 'result',
      isRouteOther,
      ...(isSame
        ? {}
        : { change: { to: { result, route }, by, conditionsDiffer, sentence } }),
    };
  }

  private byRoute(
    { permission, route: before, sources: asked }: Recorded,
    why: (Compared & { kind: 'route' })['why'],
  ): Comparison {
    const { label = 'fallback', sources = [] } = this.routeOf(permission) ?? {};
    const isRouteOther =
      label !== before ||
      sources.length !== asked.length ||
      asked.some(({ source }, index) => source !== sources[index]);
    const to = { result: undefined, route: label };
    return {
      kind: 'route',
      why,
      isRouteOther,
      ...(isRouteOther
        ? { change: { to, by: sources, conditionsDiffer: false, sentence: undefined } }
        : {}),
    };
  }

  /** The fallback and constant sources say the same to everybody. */
  private needsRefs({ permission }: Recorded): boolean {
    const { sources } = this.router.table.startConfig.config;
    const isConstant = (name: string): boolean =>
      CONSTANT.has(sources.get(name)?.type ?? '');
    return !(this.routeOf(permission)?.sources ?? []).every(isConstant);
  }

  private routeOf(permission: Recorded['permission']) {
    return this.router.table.policy.snapshot.table.match(permissionOf(permission));
  }
}

const CONSTANT: ReadonlySet<string> = new Set([constantAllow.type, constantDeny.type]);

type Who = { readonly principal: Principal | undefined } | 'without-refs' | 'unknown';

function whoOf(recorded: Recorded): Who {
  const { user, refs, refsLeftOut = 0, route } = recorded;
  if (user === undefined) {
    const isUnidentified = route === undefined && isOfOutage(recorded);
    return isUnidentified ? 'unknown' : { principal: undefined };
  }
  if (!refs || refsLeftOut > 0 || [user, ...refs].some(isCut)) return 'without-refs';
  return { principal: { userEntityRef: user, ownershipEntityRefs: refs } };
}

const userOf = ({ user }: Recorded): Principal => ({
  ...(user === undefined ? {} : { userEntityRef: user }),
  ownershipEntityRefs: [],
});

/** Texts of more than 500 characters are cut, and end so. */
const isCut = (text: string): boolean => text.length === 500 && text.endsWith('…');
