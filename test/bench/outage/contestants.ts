import {
  CONTESTANTS,
  ENTRYPOINT,
  type BackendContestant,
} from '../authorize/contestants';

export const CLOSED = 'closed';
export const HOLE = 'hole';
export const BASELINE = 'allow-all';

/** The router with the defaults of a source, whose OPA is unavailable. */
const outage = (id: string, title: string, baseUrl: string): BackendContestant => ({
  id,
  title,
  policy: 'router',
  decides: 'denies',
  kinds: ['distinct'],
  permission: () => ({
    policyRouter: {
      fallback: 'deny',
      sources: { measured: { type: 'opa', baseUrl, entrypoint: ENTRYPOINT } },
      routes: [{ prefix: '', sources: ['measured'] }],
    },
  }),
});

/** @param closed - a URL that refuses connections. @param hole - one that never answers. */
export const outageContestants = (
  closed: string,
  hole: string,
): readonly BackendContestant[] => [
  outage(CLOSED, 'router: OPA refuses connections', closed),
  ...CONTESTANTS.filter(({ id }) => id === BASELINE),
  outage(HOLE, 'router: OPA never answers', hole),
];
