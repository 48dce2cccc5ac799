/** The rules of a chain in the plainest words; nothing of it comes from src/guard/chain.ts. */

/** What a link says. */
export type Said =
  | 'ALLOW'
  | 'DENY'
  | 'CONDITIONAL'
  | 'NOT_APPLICABLE'
  | 'unavailable'
  | 'overloaded'
  | 'invalid';

export interface ReferenceLink {
  readonly standby: boolean;
  readonly said: Said;
}

export interface Outcome {
  readonly verdict: 'ALLOW' | 'DENY' | 'CONDITIONAL' | 'NOT_APPLICABLE';
  /** The index of the link that decided; undefined where the failure mode did. */
  readonly by: number | undefined;
  /** How many links were asked, from the first on. */
  readonly asked: number;
}

const isAway = ({ said }: ReferenceLink): boolean =>
  said === 'unavailable' || said === 'overloaded';

/** A verdict; of a standby only one that is an opinion. */
const isVerdict = ({ said, standby }: ReferenceLink): boolean =>
  said === 'ALLOW' ||
  said === 'DENY' ||
  said === 'CONDITIONAL' ||
  (said === 'NOT_APPLICABLE' && !standby);

/** @param links - the first one is the source itself. */
export function decideChain(
  links: readonly ReferenceLink[],
  onUnavailable: 'fail-open' | 'fail-closed',
): Outcome {
  const there = links.findIndex(link => !isAway(link));
  const asked = there === -1 ? links.length : there + 1;
  const last = links[there];
  if (last && isVerdict(last)) {
    return { verdict: last.said as Outcome['verdict'], by: there, asked };
  }
  const onlyOutages = links
    .slice(0, asked)
    .every(({ said }) => said === 'unavailable' || said === 'NOT_APPLICABLE');
  const opens = onUnavailable === 'fail-open' && onlyOutages;
  return { verdict: opens ? 'ALLOW' : 'DENY', by: undefined, asked };
}
