import type { SourceConfig } from '../sources/kind';

/**
 * The source and its standbys, in the order they are asked. The chain ends before a name that no
 * source has, and before one that it already contains.
 */
export function standbyChain(
  name: string,
  sources: ReadonlyMap<string, SourceConfig>,
): string[] {
  const chain = [name];
  for (;;) {
    const next = standbyOf(sources.get(chain.at(-1)!));
    if (next === undefined || chain.includes(next) || !sources.has(next)) return chain;
    chain.push(next);
  }
}

const standbyOf = (source: SourceConfig | undefined): string | undefined =>
  source?.remote?.standby;

/** What is wrong with the standby of a source; undefined if nothing is. */
export function standbyProblem(
  name: string,
  standby: string,
  sources: ReadonlyMap<string, SourceConfig>,
  known: readonly string[],
): string | undefined {
  const others = known.filter(each => each !== name && each !== 'allow');
  const allowed = `allowed: ${others.map(each => `'${each}'`).join(', ')}`;
  if (standby === 'allow') {
    return `must not be 'allow': an outage or a flood would allow everything; ${allowed}`;
  }
  if (!known.includes(standby)) return `unknown source '${standby}'; ${allowed}`;
  const chain = standbyChain(name, sources);
  const last = standbyOf(sources.get(chain.at(-1)!));
  return last === name
    ? `leads back to '${name}' (${[...chain, name].join(' → ')}); a chain of standbys must end`
    : undefined;
}

/** How long the source and its standbys may take in total, in milliseconds. */
export const longestWait = (
  name: string,
  sources: ReadonlyMap<string, SourceConfig>,
): number =>
  standbyChain(name, sources)
    .map(each => sources.get(each)?.remote)
    .reduce(
      (sum, remote) =>
        remote ? sum + remote.endpoints.length * remote.guard.timeout : sum,
      0,
    );
