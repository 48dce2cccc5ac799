import type { Answer } from '../../answer';
import { matchesName, type NamePattern } from '../../prefix';
import {
  actionOf,
  resourceTypeOf,
  type Action,
  type PermissionRequest,
  type Principal,
} from '../../request';
import {
  allow,
  conditional,
  deny,
  notApplicable,
  type Conditions,
} from '../../verdict';
import { normalizeRef, ownershipRefs } from '../ownership-refs';
import type { LocalSource } from '../source';
import { fillIn, isConstant, missingValue, type Template } from './template';

/** Which questions a rule fits; what is absent fits all. */
interface Fit {
  /** Prefixes of permission names. */
  readonly permissions?: readonly NamePattern[] | undefined;
  readonly actions?: readonly Action[] | undefined;
  readonly resourceTypes?: readonly string[] | undefined;
  /** Entity refs; only their members are asked about. */
  readonly groups?: readonly string[] | undefined;
}

/** What a rule says of the questions that it fits. */
type Says =
  | { readonly result: 'allow' | 'deny' }
  /** Fits resource permissions only. */
  | { readonly pluginId: string; readonly conditions: Template };

export type Rule = Fit & Says;

export interface ConditionsSourceOptions {
  readonly rules: readonly Rule[];
  /** For a user whom only `groups` keeps from a rule, if no other rule fits. */
  readonly otherwise: 'deny' | 'not-applicable';
}

/**
 * Rules in the config: the first one that fits a question decides it. If none fits, the source
 * abstains, or denies if only the `groups` of a rule do not fit and `otherwise` says so.
 */
export class ConditionsSource implements LocalSource {
  private readonly rules: readonly CompiledRule[];
  private readonly otherwise: 'deny' | 'not-applicable';

  constructor({ rules, otherwise }: ConditionsSourceOptions) {
    this.rules = rules.map((rule, index) => new CompiledRule(rule, `rules[${index}]`));
    this.otherwise = otherwise;
  }

  ask({ permission, principal }: PermissionRequest): Answer {
    const refs = ownershipRefs(principal);
    let forOthers: string | undefined;
    for (const rule of this.rules) {
      if (!rule.fits(permission)) continue;
      if (rule.isFor(refs)) return rule.answer(permission, principal, refs);
      forOthers ??= rule.label;
    }
    if (forOthers === undefined) return notApplicable('no rule fits');
    const reason = `${forOthers} is only for members of its groups, and no other rule fits`;
    return this.otherwise === 'deny' ? deny(reason) : notApplicable(reason);
  }

  async close(): Promise<void> {}
}

type Permission = PermissionRequest['permission'];

class CompiledRule {
  private readonly groups: ReadonlySet<string> | undefined;
  /** Of a rule that says the same for every user, by resource type. */
  private readonly ready = new Map<string, Conditions>();
  /** For each user, by resource type. A principal lives as long as its batch. */
  private readonly filled = new WeakMap<Principal, Map<string, Conditions>>();

  constructor(
    private readonly rule: Rule,
    readonly label: string,
  ) {
    this.groups = rule.groups && new Set(rule.groups.map(normalizeRef));
    if (!('conditions' in rule) || !isConstant(rule.conditions)) return;
    for (const type of rule.resourceTypes ?? []) {
      this.ready.set(type, fillIn(rule.conditions, type, NOBODY));
    }
  }

  /** Whether it fits the permission; whom it is for is another question. */
  fits(permission: Permission): boolean {
    const { permissions, actions, resourceTypes } = this.rule;
    const resourceType = resourceTypeOf(permission);
    return (
      (!('conditions' in this.rule) || resourceType !== undefined) &&
      (!permissions || permissions.some(each => matchesName(each, permission.name))) &&
      (!actions || actions.some(each => each === actionOf(permission))) &&
      (!resourceTypes || resourceTypes.some(each => each === resourceType))
    );
  }

  isFor(refs: readonly string[]): boolean {
    const { groups } = this;
    return !groups || refs.some(ref => groups.has(ref));
  }

  answer(
    permission: Permission,
    principal: Principal,
    refs: readonly string[],
  ): Answer {
    const { rule, label } = this;
    if ('result' in rule) {
      const reason = `${label} says ${rule.result}`;
      return rule.result === 'allow' ? allow(reason) : deny(reason);
    }
    // It fits resource permissions only.
    const resourceType = resourceTypeOf(permission)!;
    const conditions =
      this.ready.get(resourceType) ??
      this.fill(rule.conditions, resourceType, principal, refs);
    return typeof conditions === 'string'
      ? deny(`${label}: ${conditions}`)
      : conditional(`allowed under the conditions of ${label}`, {
          pluginId: rule.pluginId,
          resourceType,
          conditions,
        });
  }

  /** Once for all permissions of this resource type; or what the user lacks for it. */
  private fill(
    template: Template,
    resourceType: string,
    principal: Principal,
    refs: readonly string[],
  ): Conditions | string {
    let filled = this.filled.get(principal);
    if (!filled) this.filled.set(principal, (filled = new Map<string, Conditions>()));
    const known = filled.get(resourceType);
    if (known) return known;
    const values = { user: principal.userEntityRef, ownershipRefs: refs };
    const missing = missingValue(template, values);
    if (missing !== undefined) return missing;
    const conditions = fillIn(template, resourceType, values);
    filled.set(resourceType, conditions);
    return conditions;
  }
}

const NOBODY = { user: undefined, ownershipRefs: [] };
