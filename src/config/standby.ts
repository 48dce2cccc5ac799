import { cut, someNames } from '../lib/bounded';
import type { SourceConfig } from '../sources/kind';

type Sources = ReadonlyMap<string, SourceConfig>;

/**
 * The source and its standbys, in the order they are asked. The chain ends before a name that no
 * source has, and before one that it already contains.
 *
 * @param most - of the chain, this many.
 */
export function standbyChain(
  name: string,
  sources: Sources,
  most = Infinity,
): string[] {
  const chain = new Set<string>();
  let next: string | undefined = name;
  while (next !== undefined && !chain.has(next) && chain.size < most) {
    chain.add(next);
    next = standbyOf(next, sources);
  }
  return [...chain];
}

/** The standby of a source if there is such a source. */
function standbyOf(name: string, sources: Sources): string | undefined {
  const standby = sources.get(name)?.remote?.standby;
  return standby !== undefined && sources.has(standby) ? standby : undefined;
}

/** The sources that these names and their standbys name, each once. */
export function withStandbys(names: Iterable<string>, sources: Sources): Set<string> {
  const all = new Set<string>();
  for (const name of names) {
    let next: string | undefined = name;
    while (next !== undefined && !all.has(next)) {
      all.add(next);
      next = standbyOf(next, sources);
    }
  }
  return all;
}

/** The sources whose chain of standbys leads back to them. */
export function standbyCircles(sources: Sources): Set<string> {
  const circles = new Set<string>();
  const seen = new Set<string>();
  for (const name of sources.keys()) {
    const way = new Set<string>();
    let next: string | undefined = name;
    while (next !== undefined && !seen.has(next)) {
      seen.add(next);
      way.add(next);
      next = standbyOf(next, sources);
    }
    if (next === undefined || !way.has(next)) continue;
    const onWay = [...way];
    for (const each of onWay.slice(onWay.indexOf(next))) circles.add(each);
  }
  return circles;
}

/**
 * What is wrong with the standby of a source; undefined if nothing is.
 *
 * @param circles - of these sources.
 * @param known - the names of all sources, also of those that could not be read.
 */
export function standbyProblem(
  name: string,
  standby: string,
  sources: Sources,
  circles: ReadonlySet<string>,
  known: ReadonlySet<string>,
): string | undefined {
  if (standby === 'allow') {
    return `must not be 'allow': an outage or a flood would allow everything; ${allowed(name, known)}`;
  }
  if (!known.has(standby)) {
    return `unknown source '${cut(standby)}'; ${allowed(name, known)}`;
  }
  if (!circles.has(name)) return undefined;
  const circle = `${formatChain(name, sources)} → ${name}`;
  return `leads back to '${name}' (${circle}); a chain of standbys must end`;
}

/** `a → b → c` for a message; of a long chain the first names and `…`. */
export function formatChain(
  name: string,
  sources: Sources,
  format = (each: string): string => each,
): string {
  const chain = standbyChain(name, sources, MAX_SHOWN + 1);
  const shown = chain.slice(0, MAX_SHOWN).map(each => format(cut(each)));
  return [...shown, ...(chain.length > MAX_SHOWN ? ['…'] : [])].join(' → ');
}

const MAX_SHOWN = 10;

function allowed(name: string, known: ReadonlySet<string>): string {
  const others: string[] = [];
  let count = 0;
  for (const each of known) {
    if (each === name || each === 'allow') continue;
    if (count++ < MAX_SHOWN) others.push(each);
  }
  return `allowed: ${someNames(others, count)}`;
}

/** How long each source and its standbys may take in total, in milliseconds. */
export function longestWaits(sources: Sources): ReadonlyMap<string, number> {
  const waits = new Map<string, number>();
  const own = (name: string): number => {
    const remote = sources.get(name)?.remote;
    return remote ? remote.endpoints.length * remote.guard.timeout : 0;
  };
  for (const name of sources.keys()) {
    const way = new Set<string>();
    let next: string | undefined = name;
    while (next !== undefined && !waits.has(next) && !way.has(next)) {
      way.add(next);
      next = standbyOf(next, sources);
    }
    const chain = [...way];
    // A circle is an error that is reported elsewhere; here each of it waits for all of it.
    if (next !== undefined && way.has(next)) {
      const circle = chain.splice(chain.indexOf(next));
      const sum = circle.reduce((total, each) => total + own(each), 0);
      for (const each of circle) waits.set(each, sum);
    }
    let wait = next === undefined ? 0 : waits.get(next)!;
    for (const each of chain.reverse()) waits.set(each, (wait += own(each)));
  }
  return waits;
}
