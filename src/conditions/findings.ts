import {
  isResourcePermission,
  type Permission,
} from '@backstage/plugin-permission-common';
import type { Failed } from '../answer';
import type { Conditional, Conditions } from '../verdict';
import type { RuleMetadata } from './rule-metadata';

/** What is wrong with conditions, if anything. */
export type Finding = Failed | undefined;

interface Found {
  /** As a verdict on a permission. */
  fit?: Pick<Conditional, 'pluginId' | 'resourceType'> & {
    readonly permission: Readonly<Permission>;
    readonly finding: Finding;
  };
  /** By the rules of a plugin. */
  rules?: {
    readonly pluginId: string;
    readonly metadata: RuleMetadata;
    readonly finding: Finding;
  };
}

/**
 * What was last found about conditions, so that those of many callers are checked once: an answer
 * that they share, or the owner's condition of a batch. Conditions are frozen, and what is kept
 * depends on nothing but what is asked here: not on a deadline.
 */
export class Findings {
  private readonly found = new WeakMap<Conditions, Found>();

  /** @param find - called if the same has not been found before; must depend on these two only. */
  fit(
    verdict: Conditional,
    permission: Readonly<Permission>,
    find: (verdict: Conditional, permission: Readonly<Permission>) => Finding,
  ): Finding {
    const found = this.of(verdict.conditions);
    const { fit } = found;
    if (
      fit?.pluginId === verdict.pluginId &&
      fit.resourceType === verdict.resourceType &&
      // Only a failure depends on the rest of the permission: it may name it.
      (fit.finding
        ? isSame(fit.permission, permission)
        : isResourcePermission(permission, verdict.resourceType))
    )
      return fit.finding;
    const finding = find(verdict, permission);
    // Not the verdict: it has the user's identity, and conditions may be shared by users.
    const { pluginId, resourceType } = verdict;
    found.fit = { pluginId, resourceType, permission, finding };
    return finding;
  }

  /** @param find - called if the same has not been found before; must depend on these two only. */
  rules(
    verdict: Conditional,
    metadata: RuleMetadata,
    find: (verdict: Conditional, metadata: RuleMetadata) => Finding,
  ): Finding {
    const found = this.of(verdict.conditions);
    const { rules } = found;
    if (rules?.metadata === metadata && rules.pluginId === verdict.pluginId)
      return rules.finding;
    const finding = find(verdict, metadata);
    found.rules = { pluginId: verdict.pluginId, metadata, finding };
    return finding;
  }

  private of(conditions: Conditions): Found {
    let found = this.found.get(conditions);
    if (!found) this.found.set(conditions, (found = {}));
    return found;
  }
}

const isSame = (one: Readonly<Permission>, other: Readonly<Permission>): boolean =>
  one === other ||
  (one.name === other.name &&
    one.type === other.type &&
    resourceTypeIn(one) === resourceTypeIn(other));

const resourceTypeIn = (permission: Readonly<Permission>): string | undefined =>
  isResourcePermission(permission) ? permission.resourceType : undefined;
