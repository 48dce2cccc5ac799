/** The rules of a chain as simply as possible, independent of the code under test. */

/** A link's verdict or failure. */
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
  /** The index of the link that decided; undefined if the failure mode did. */
  readonly by: number | undefined;
  /** How many links were asked, from the first on. */
  readonly asked: number;
}

const isUnavailable = ({ said }: ReferenceLink): boolean =>
  said === 'unavailable' || said === 'overloaded';

/** Whether it is a verdict; a standby's abstention does not count. */
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
  const answering = links.findIndex(link => !isUnavailable(link));
  const asked = answering === -1 ? links.length : answering + 1;
  const last = links[answering];
  if (last && isVerdict(last)) {
    return { verdict: last.said as Outcome['verdict'], by: answering, asked };
  }
  const onlyOutages = links
    .slice(0, asked)
    .every(({ said }) => said === 'unavailable' || said === 'NOT_APPLICABLE');
  const opens = onUnavailable === 'fail-open' && onlyOutages;
  return { verdict: opens ? 'ALLOW' : 'DENY', by: undefined, asked };
}
