import {
  catalogConditions,
  createCatalogConditionalDecision,
} from '@backstage/plugin-catalog-backend/alpha';
import {
  isResourcePermission,
  type ConditionalPolicyDecision,
  type ResourcePermission,
} from '@backstage/plugin-permission-common';
import { builtConditions } from '../../conditions/parse';
import { quote } from '../../lib/quote';
import type { PermissionRequest } from '../../request';
import { allow, conditional, deny, notApplicable } from '../../verdict';
import type { Answer } from '../../answer';
import { normalizeRef, ownershipRefs } from '../ownership-refs';
import type { LocalSource } from '../source';

/** The rule with which a plugin checks who owns a resource. */
export interface OwnerRule {
  readonly pluginId: string;
  readonly rule: string;
  /** The rule's parameter that takes the user's ownership refs. */
  readonly param: string;
}

export interface OwnershipSourceOptions {
  /** Entity refs whose members are allowed everything for the known resource types. */
  readonly bypass: readonly string[];
  /** The entity kinds that owners may access, in lower case. Default: any kind. */
  readonly kinds?: readonly string[] | undefined;
  /** By resource type; added to `DEFAULT_OWNER_RULES`, which they override. */
  readonly resources: ReadonlyMap<string, OwnerRule>;
}

/** `catalog-entity` is handled apart, with the catalog's own conditions. */
export const DEFAULT_OWNER_RULES: ReadonlyMap<string, OwnerRule> = new Map([
  [
    'scaffolder-task',
    { pluginId: 'scaffolder', rule: 'IS_TASK_OWNER', param: 'createdBy' },
  ],
]);

/**
 * The built-in ownership policy: users may access what they own.
 *
 * For the resource types it knows: ALLOW for members of `bypass`, DENY for a user without
 * ownership refs, else CONDITIONAL on the owner rule, and for entities also on `kinds` if set.
 * NOT_APPLICABLE for everything else.
 */
export class OwnershipSource implements LocalSource {
  private readonly bypass: ReadonlySet<string>;
  private readonly kinds: readonly string[] | undefined;
  private readonly rules: ReadonlyMap<string, OwnerRule>;

  constructor(options: OwnershipSourceOptions) {
    this.kinds = options.kinds;
    this.bypass = new Set(options.bypass.map(normalizeRef));
    this.rules = new Map([...DEFAULT_OWNER_RULES, ...options.resources]);
  }

  ask({ permission, principal }: PermissionRequest): Answer {
    if (!isResourcePermission(permission)) {
      return notApplicable('ownership does not decide basic permissions');
    }
    const decide = this.decisionFor(permission);
    if (!decide) {
      return notApplicable(
        `ownership does not know resource type ${quote(permission.resourceType)}`,
      );
    }
    const refs = ownershipRefs(principal);
    const badge = refs.find(ref => this.bypass.has(ref));
    if (badge !== undefined) {
      return { ...allow(`bypass: member of ${badge}`), bypass: badge };
    }
    if (refs.length === 0) return deny('the user has no ownership refs');
    const { conditions, ...decision } = decide([...refs]);
    return conditional(`allowed to owners of the ${this.described(permission)}`, {
      ...decision,
      conditions: builtConditions(conditions),
    });
  }

  async close(): Promise<void> {}

  private decisionFor(
    permission: ResourcePermission,
  ): ((refs: string[]) => ConditionalPolicyDecision) | undefined {
    const { resourceType } = permission;
    const rule = this.rules.get(resourceType);
    if (rule) return refs => ruleDecision(rule, resourceType, refs);
    if (isResourcePermission(permission, 'catalog-entity')) {
      const isOfKind =
        this.kinds && catalogConditions.isEntityKind({ kinds: [...this.kinds] });
      return claims => {
        const isOwned = catalogConditions.isEntityOwner({ claims });
        return createCatalogConditionalDecision(
          permission,
          isOfKind ? { allOf: [isOfKind, isOwned] } : { anyOf: [isOwned] },
        );
      };
    }
    return undefined;
  }

  private described({ resourceType }: ResourcePermission): string {
    return this.kinds && resourceType === 'catalog-entity'
      ? `${resourceType}, of kind ${this.kinds.join(' or ')}`
      : resourceType;
  }
}

const ruleDecision = (
  { pluginId, rule, param }: OwnerRule,
  resourceType: string,
  refs: string[],
): ConditionalPolicyDecision => ({
  result: 'CONDITIONAL',
  pluginId,
  resourceType,
  conditions: { anyOf: [{ resourceType, rule, params: { [param]: refs } }] },
});
