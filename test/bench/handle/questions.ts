/** What policies in this process are asked: may this user read entities? */
import { catalogEntityReadPermission } from '@backstage/plugin-catalog-common/alpha';
import type {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import { CLAIMS, USER_REF } from '../authorize/questions';
import type { Contestant } from '../drive';

const USER: PolicyQueryUser = {
  credentials: { $$type: '@backstage/BackstageCredentials', principal: {} },
  info: { userEntityRef: USER_REF, ownershipEntityRefs: CLAIMS },
};

const QUERY: PolicyQuery = { permission: catalogEntityReadPermission };

/** Across all contestants, so that no name is ever asked twice. */
let asked = 0;

const distinctQuery = (): PolicyQuery => ({
  permission: {
    ...catalogEntityReadPermission,
    name: `catalog.entity.q${++asked}.read`,
  },
});

export interface Named {
  readonly id: string;
  readonly title: string;
  readonly isRouter: boolean;
  readonly inProcess: boolean;
  readonly policy: PermissionPolicy;
  /** The result that each decision must have. */
  readonly expected: string;
}

/** @param kind - with `distinct`, no two questions are the same. */
export function contestantOf(
  { policy, expected, ...named }: Named,
  kind: 'distinct' | 'equal',
): Contestant {
  const query = kind === 'distinct' ? distinctQuery : () => QUERY;
  const isWrong = async (): Promise<boolean> =>
    (await policy.handle(query(), USER)).result !== expected;
  return {
    ...named,
    async ask(questions) {
      if (questions === 1) return (await isWrong()) ? 1 : 0;
      const wrong = await Promise.all(Array.from({ length: questions }, isWrong));
      return wrong.filter(each => each).length;
    },
  };
}
