/** Asks a hosted policy with the name `team`. */
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import type { Answer } from '../../src/answer';
import {
  readPermission,
  readPrincipal,
  type PermissionRequest,
} from '../../src/request';
import type { PolicySource } from '../../src/sources/hosted/policy-source';
import { HostedSource } from '../../src/sources/hosted/source';
import { Cancellation } from '../../src/sources/source';
import { permission } from '../fixtures/builders';
import { CapturedLogs } from './captured-logs';

export type Handle = (query: PolicyQuery, user?: PolicyQueryUser) => unknown;

/** Asks a policy with this handler one question. */
export async function ask(
  handle: Handle,
  request: PermissionRequest = requestOf(),
  mayAbstain = true,
): Promise<{ answer: Answer; logs: CapturedLogs }> {
  const logs = new CapturedLogs();
  const policy = { handle } as PolicySource;
  const source = new HostedSource('team', { policy, mayAbstain }, logs.logger());
  const answer = await source.prepare(request).put(new Cancellation());
  await source.close();
  return { answer, logs };
}

export const REFS = ['user:default/olivia', 'group:default/payments'];

/** Credentials as the host makes them: the token is a member that copies lose. */
const credentialsOf = () =>
  Object.defineProperty(
    { $$type: '@backstage/BackstageCredentials', principal: { type: 'user' } },
    'token',
    { value: 'a-token', enumerable: false },
  );

export const userOf = (more: object = {}): PolicyQueryUser =>
  ({
    credentials: credentialsOf(),
    info: { userEntityRef: 'user:default/olivia', ownershipEntityRefs: [...REFS] },
    ...more,
  }) as unknown as PolicyQueryUser;

export const onEntity = permission('catalog.entity.delete', {
  action: 'delete',
  resourceType: 'catalog-entity',
});

/** A request as the router creates it, with or without a user. */
export const requestOf = (user?: PolicyQueryUser): PermissionRequest => ({
  permission: readPermission({ permission: onEntity }),
  principal: user?.info ? readPrincipal(user.info) : { ownershipEntityRefs: [] },
  user,
});

/** The verdict or the failure in words. */
export function wordsOf(answer: Answer): string {
  if (answer.kind !== 'FAILED') return answer.kind;
  const { class: failureClass, code, message } = answer.failure;
  return `${failureClass} ${code}: ${message}`;
}

export const leaf = { rule: 'IS_ENTITY_OWNER', resourceType: 'catalog-entity' };
export const conditional = (conditions: unknown, more: object = {}): object => ({
  result: 'CONDITIONAL',
  pluginId: 'catalog',
  resourceType: 'catalog-entity',
  conditions,
  ...more,
});

/** A getter for a decision that cannot be read, because the policy's own code throws. */
export const unreadable = (): never => {
  throw new Error('a secret');
};
