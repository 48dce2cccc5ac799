/**
 * Why somebody may or may not do something: the question is decided beside the decisions, and
 * where the answer depends on a resource, the plugin that owns it evaluates the conditions.
 */
import type {
  BackstageCredentials,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import {
  InputError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type { Permission } from '@backstage/plugin-permission-common';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { z } from 'zod';
import { choice, nonEmptyList, strict, text } from '../lib/fields';
import type { AskPlugin } from '../lib/plugin-request';
import { quote } from '../lib/quote';
import { MAX_PERMISSION_NAME_LENGTH, type Principal } from '../request';
import type { Router } from '../router';
import { entityRef } from '../sources/fields';
import { normalizeRef } from '../sources/ownership-refs';
import { givenBy } from '../trace/facts';
import type { DecisionRecord } from '../trace/record';
import type { UserCaller } from './access';
import { applyConditions, type Applied } from './applied';
import { catalogUser } from './catalog-user';

/** Of a resource ref; batches of conditions leave room for it. */
const MAX_RESOURCE_REF = 1000;
const MAX_REFS = 10_000;

const name = text('the name of a permission').max(MAX_PERMISSION_NAME_LENGTH, {
  error: `must have at most ${MAX_PERMISSION_NAME_LENGTH} characters`,
});

const userRef = entityRef.regex(/^user:/i, {
  error: "must be the entity ref of a user such as 'user:default/olivia'",
});

const attributes = strict({
  action: choice(['create', 'read', 'update', 'delete']).optional(),
});

const permission = strict({
  name,
  type: choice(['basic', 'resource']),
  attributes: attributes.default({}),
  resourceType: text('a resource type').max(MAX_PERMISSION_NAME_LENGTH).optional(),
}).superRefine(({ type, resourceType }, context) => {
  if ((type === 'resource') === (resourceType !== undefined)) return;
  const message =
    type === 'resource'
      ? "is required, because the type is 'resource'"
      : "must be left out, because the type is 'basic'";
  context.addIssue({ code: 'custom', path: ['resourceType'], message });
});

/** The body of `POST explain`. */
export const explainBody = strict({
  permission: z.union([name, permission], {
    error: () =>
      "must be the name of a permission such as 'catalog.entity.read', or an object of name, " +
      'type, attributes and resourceType',
  }),
  resource: text("a resource ref such as 'component:default/website'")
    .max(MAX_RESOURCE_REF, {
      error: `must have at most ${MAX_RESOURCE_REF} characters`,
    })
    .optional(),
  user: userRef.optional(),
  refs: nonEmptyList(entityRef, 'entity refs', MAX_REFS).optional(),
}).superRefine(({ user, refs }, context) => {
  if (refs === undefined || user !== undefined) return;
  const message = 'needs user: the entity ref of the user who has these refs';
  context.addIssue({ code: 'custom', path: ['refs'], message });
});

export type ExplainBody = z.output<typeof explainBody>;

/** Whose refs were used. */
export type PrincipalOrigin = 'caller' | 'given' | 'catalog';

/** `UNDETERMINED`: a source that would have to be asked cannot be. */
export type FinalResult = DecisionRecord['result'] | 'UNDETERMINED';

export interface Explained {
  readonly record: DecisionRecord;
  /** What Backstage answers, under observe too. */
  readonly result: FinalResult;
  readonly origin: PrincipalOrigin;
  /** Set if that is CONDITIONAL and a resource was given. */
  readonly applied: Applied | undefined;
  /** Under observe, for operators: the same of what is only recorded. */
  readonly recorded: Pick<Explained, 'result' | 'applied'> | undefined;
  /** What the caller should know of the question. */
  readonly notes: readonly string[];
}

interface Who {
  readonly principal: Principal;
  readonly user?: PolicyQueryUser;
  readonly origin: PrincipalOrigin;
}

/**
 * @throws NotAllowedError if the caller may not ask for this user, InputError if the question cannot be
 *   asked, ServiceUnavailableError if the catalog does not answer.
 */
export async function explain(
  { permission: asked, resource, user, refs }: ExplainBody,
  caller: UserCaller,
  router: Pick<Router, 'policy' | 'declared'>,
  askPlugin: AskPlugin,
): Promise<Explained> {
  const who = await whoOf({ user, refs }, caller, askPlugin);
  const { permission: whole, notes } = wholePermission(asked, router.declared);
  if (resource !== undefined && whole.type === 'basic') {
    const likely =
      notes.length > 0
        ? 'no installed plugin declares it; is the name right?'
        : 'it is not about a resource';
    throw new InputError(
      `body.resource must be left out for ${quote(whole.name)}: ${likely}`,
    );
  }
  const record = await router.policy.explain(whole, who.principal, who.user);
  const final = async (said: Said): Promise<Pick<Explained, 'result' | 'applied'>> => {
    if (said.cannotAsk) return { result: 'UNDETERMINED', applied: undefined };
    if (said.result !== 'CONDITIONAL' || resource === undefined) {
      return { result: said.result, applied: undefined };
    }
    const conditional = conditionalOf(said, record.permission);
    const { isOperator } = caller;
    const applied = await applyConditions(conditional, resource, askPlugin, isOperator);
    return {
      result: applied.kind === 'applied' ? applied.result : said.result,
      applied,
    };
  };
  const isBoth = record.observed !== undefined && caller.isOperator;
  const [given, recorded] = await Promise.all([
    final(givenBy(record)),
    isBoth ? final(record) : undefined,
  ]);
  return { record, ...given, recorded, origin: who.origin, notes };
}

type Said = Pick<DecisionRecord, 'result' | 'cannotAsk' | 'pluginId' | 'conditions'>;

async function whoOf(
  { user, refs }: Pick<ExplainBody, 'user' | 'refs'>,
  caller: UserCaller,
  askPlugin: AskPlugin,
): Promise<Who> {
  const isOwn =
    user === undefined || normalizeRef(user) === normalizeRef(caller.userEntityRef);
  if (isOwn && refs === undefined) {
    const { userEntityRef, ownershipEntityRefs } = caller;
    return {
      principal: Object.freeze({
        userEntityRef,
        ownershipEntityRefs: Object.freeze([...ownershipEntityRefs]),
      }),
      user: queryUser(caller),
      origin: 'caller',
    };
  }
  if (!caller.isOperator) {
    throw new NotAllowedError(
      'only operators may explain the decisions of other users (permission.policyRouter.operators)',
    );
  }
  if (refs) {
    const principal = { userEntityRef: user!, ownershipEntityRefs: refs };
    return { principal: Object.freeze(principal), origin: 'given' };
  }
  const found = await catalogUser(user!, askPlugin);
  switch (found.kind) {
    case 'found':
      return { principal: Object.freeze(found.principal), origin: 'catalog' };
    case 'not found':
      throw new InputError(
        `body.user: the catalog has no ${quote(user)}; to ask for a user it does not have, give refs too`,
      );
    case 'unread':
      throw new ServiceUnavailableError(
        `the catalog could not be asked for the user (${found.why})`,
      );
  }
}

/** As the permission backend gives the user to the policy. */
const queryUser = ({
  credentials,
  userEntityRef,
  ownershipEntityRefs,
}: UserCaller): PolicyQueryUser => ({
  credentials: credentials satisfies BackstageCredentials<BackstageUserPrincipal>,
  info: { userEntityRef, ownershipEntityRefs: [...ownershipEntityRefs] },
});

/** A name alone stands for the permission that a plugin declares by it. */
function wholePermission(
  asked: ExplainBody['permission'],
  declared: Pick<Router['declared'], 'of'>,
): { readonly permission: Permission; readonly notes: readonly string[] } {
  if (typeof asked !== 'string') return { permission: asked as Permission, notes: [] };
  const basic: Permission = { type: 'basic', name: asked, attributes: {} };
  const declaration = declared.of(asked);
  switch (declaration.kind) {
    case 'one':
      return { permission: declaration.permission, notes: [] };
    case 'none':
      return {
        permission: basic,
        notes: [
          'no installed plugin declares this permission; it is asked as a basic one without an action',
        ],
      };
    case 'unread':
      throw new ServiceUnavailableError(
        'not all plugins have been read yet, so the name is not enough: give type, attributes and resourceType, or try again in a few seconds',
      );
    case 'several':
      throw new InputError(
        `body.permission: several plugins declare this name (${declaration.pluginIds.join(', ')}): give type, attributes and resourceType`,
      );
  }
}

/** One of the sources has said what owns the conditions. */
function conditionalOf(
  { pluginId, conditions }: Said,
  permission: DecisionRecord['permission'],
): Parameters<typeof applyConditions>[0] {
  const resourceType = permission?.type === 'resource' ? permission.resourceType : '';
  return { pluginId: pluginId!, resourceType, conditions: conditions! };
}
