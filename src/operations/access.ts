/**
 * Who may see what. The API compares the caller's refs with `operators` itself: neither the
 * routing table, nor the fallback, nor `permission.enabled`, nor an outage opens it.
 */
import type {
  BackstageCredentials,
  BackstageUserPrincipal,
  HttpAuthService,
  UserInfoService,
} from '@backstage/backend-plugin-api';
import { NotAllowedError, ServiceUnavailableError } from '@backstage/errors';
import type { Request } from 'express';
import { settleWithin } from '../lib/deadline';
import { normalizeRef } from '../sources/ownership-refs';

/** For finding out who calls, in milliseconds. */
const IDENTITY_TIMEOUT = 5000;

export interface UserCaller {
  readonly kind: 'user';
  readonly isOperator: boolean;
  readonly credentials: BackstageCredentials<BackstageUserPrincipal>;
  readonly userEntityRef: string;
  readonly ownershipEntityRefs: readonly string[];
}

export type Caller = { readonly kind: 'service' } | UserCaller;

export interface AccessServices {
  readonly httpAuth: HttpAuthService;
  readonly userInfo: UserInfoService;
}

/**
 * Who calls.
 *
 * @param operators - entity refs in lower case.
 * @throws AuthenticationError, NotAllowedError or ServiceUnavailableError, which become 401, 403 and 503.
 */
export async function callerOf(
  request: Request,
  operators: readonly string[],
  { httpAuth, userInfo }: AccessServices,
): Promise<Caller> {
  const credentials = await httpAuth.credentials(request, {
    allow: ['user', 'service'],
  });
  if (operators.length === 0) {
    throw new NotAllowedError(
      'this API is closed, because permission.policyRouter.operators is not set',
    );
  }
  if (credentials.principal.type === 'service') {
    const { accessRestrictions } = credentials.principal;
    // Such a token is for one purpose, which this is not.
    if (
      accessRestrictions?.permissionNames ||
      accessRestrictions?.permissionAttributes
    ) {
      throw new NotAllowedError(
        'the token of this service is restricted to permissions',
      );
    }
    return { kind: 'service' };
  }
  const user = credentials as BackstageCredentials<BackstageUserPrincipal>;
  const info = await settleWithin(
    userInfo.getUserInfo(user),
    IDENTITY_TIMEOUT,
    () => undefined,
  );
  if (!info) throw new ServiceUnavailableError('the auth backend does not answer');
  const { userEntityRef, ownershipEntityRefs } = info;
  const isOperator = [userEntityRef, ...ownershipEntityRefs]
    .map(normalizeRef)
    .some(ref => operators.includes(ref));
  return {
    kind: 'user',
    isOperator,
    credentials: user,
    userEntityRef,
    ownershipEntityRefs,
  };
}

/** @throws NotAllowedError unless a user calls. */
export function requireUser(caller: Caller): UserCaller {
  if (caller.kind === 'user') return caller;
  throw new NotAllowedError('only users may see this, not services');
}

/** @throws NotAllowedError unless the caller is an operator. */
export function requireOperator(caller: Caller): void {
  if (caller.kind === 'user' && caller.isOperator) return;
  throw new NotAllowedError(
    'only operators may see this (permission.policyRouter.operators)',
  );
}

/** @throws NotAllowedError unless the caller is an operator or a service. */
export function requireOperatorOrService(caller: Caller): void {
  if (caller.kind !== 'service') requireOperator(caller);
}
