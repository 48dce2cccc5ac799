import type { UserInfoService } from '@backstage/backend-plugin-api';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { identify } from './identity';
import type { Deadline } from './lib/deadline';
import { anonymous, type Principal } from './request';

/**
 * The decisions asked for in one turn of the event loop. Backstage asks all questions of a request
 * at once, with one user object, so the user is identified once for all of them. What sources
 * derive from a principal they may keep for as long as it lives, which is as long as its batch.
 */
export class Batch {
  private readonly principals = new Map<
    PolicyQueryUser | undefined,
    Principal | Promise<Principal>
  >();

  /** As `identify`; the deadline that counts is that of the first decision for the user. */
  identify(
    user: PolicyQueryUser | undefined,
    userInfo: UserInfoService,
    deadline: Deadline,
  ): Principal | Promise<Principal> {
    const known = this.principals.get(user);
    if (known !== undefined) return known;
    const principal = user ? identify(user, userInfo, deadline) : anonymous();
    // Only an object can be recognised as the same user.
    if (!user || typeof user === 'object') this.principals.set(user, principal);
    return principal;
  }
}
