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
 * A policy that another module brings. It sees what Backstage would show it, in the async
 * context of its own caller, and shares no question: it may read from there who asks.
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
      // What it says may hold a secret: a URL, a header, a response.
      const what = `threw ${errorNames(error)}`;
      this.logger.debug(`Source '${this.name}' ${what} ${oneLine(errorPlace(error))}`);
      return failed('invalid', 'THREW', `the source ${what}`);
    }
    return hostedAnswer(decision, mayAbstain);
  }
}

/** Policies change what they are given; no other source may see it. */
const queryOf = ({ permission }: PermissionRequest): PolicyQuery => ({
  permission: {
    ...permission,
    attributes: { ...permission.attributes },
  },
});

/** The credentials are the host's own object: a copy would lose the token hidden in it. */
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
