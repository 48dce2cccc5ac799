import type { BackstageUserInfo, UserInfoService } from '@backstage/backend-plugin-api';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { settleWithin, type Deadline } from './lib/deadline';
import { readPrincipal, type Principal } from './request';

/** It could not be found out who asks; the request is denied before any source is asked. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

/**
 * Who asks: from `user.info` where the host gives it, else from the `userInfo` service, within
 * the deadline.
 *
 * @throws IdentityError if it cannot be obtained in time.
 * @throws InvalidRequestError if it does not have the shape that Backstage defines.
 */
export function identify(
  user: PolicyQueryUser,
  userInfo: UserInfoService,
  deadline: Deadline,
): Principal | Promise<Principal> {
  // The host gives `info` today, but has deprecated it; the service is what stays.
  const given = user.info as PolicyQueryUser['info'] | undefined;
  return given ? readPrincipal(given) : askService(user, userInfo, deadline);
}

async function askService(
  user: PolicyQueryUser,
  userInfo: UserInfoService,
  deadline: Deadline,
): Promise<Principal> {
  const info = await settleWithin(
    lookUp(user, userInfo),
    deadline.remaining(),
    () => undefined,
  );
  if (!info) {
    throw new IdentityError('the identity of the user could not be obtained in time');
  }
  return readPrincipal(info);
}

async function lookUp(
  { credentials }: PolicyQueryUser,
  userInfo: UserInfoService,
): Promise<BackstageUserInfo | undefined> {
  try {
    return await userInfo.getUserInfo(credentials);
  } catch {
    throw new IdentityError('the identity of the user could not be obtained');
  }
}
