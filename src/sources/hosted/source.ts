import type { LoggerService } from '@backstage/backend-plugin-api';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import { errorNames, errorPlace } from '../../lib/foreign-error';
import { oneLine } from '../../lib/quote';
import type { PermissionRequest } from '../../request';
import { failed, type Answer } from '../../answer';
import type { PreparedQuestion, RemoteSource } from '../source';
import { hostedAnswer } from './answer';
import type { HostedPolicy } from './policies';

/**
 * A policy that another module provides. It gets what Backstage would pass to it, in the async
 * context of its own caller. Its questions are not shared, because it may read from that
 * context who is asking.
 */
export class HostedSource implements RemoteSource {
  constructor(
    private readonly name: string,
    private readonly hosted: HostedPolicy,
    private readonly logger: LoggerService,
  ) {}

  prepare(request: PermissionRequest): PreparedQuestion {
    return { key: undefined, put: () => this.put(request) };
  }

  async close(): Promise<void> {}

  private async put(request: PermissionRequest): Promise<Answer> {
    const { policy, mayAbstain } = this.hosted;
    let decision: unknown;
    try {
      decision = await policy.handle(queryOf(request), userOf(request));
    } catch (error) {
      // The message may hold a secret: a URL, a header, a response.
      const what = `threw ${errorNames(error)}`;
      this.logger.debug(`Source '${this.name}' ${what} ${oneLine(errorPlace(error))}`);
      return failed('invalid', 'THREW', `the source ${what}`);
    }
    return hostedAnswer(decision, mayAbstain);
  }
}

/** A policy may change its arguments; no other source may see such a change. */
const queryOf = ({ permission }: PermissionRequest): PolicyQuery => ({
  permission: {
    ...permission,
    attributes: { ...permission.attributes },
  },
});

/** The credentials stay the host's own object: a copy would lose the token hidden in it. */
function userOf({ user, principal }: PermissionRequest): PolicyQueryUser | undefined {
  if (!user) return undefined;
  const { userEntityRef = '', ownershipEntityRefs } = principal;
  return {
    ...user,
    info: {
      ...user.info,
      userEntityRef,
      ownershipEntityRefs: [...ownershipEntityRefs],
    },
  };
}
