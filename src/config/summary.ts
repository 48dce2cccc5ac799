import { someOf } from '../lib/bounded';
import { routeLabel } from '../routing/label';
import { isObserving, observedIn, observedPart } from './observe';
import { shadowsInWords } from './shadow-config';
import { formatChain, standbyChain } from './standby';
import type { ReadConfig } from './read';
import type { Route } from './types';

/** Of sources, of standbys, and of routes that an outage opens. */
const MAX_NAMED = 10;

/** One line for the log, of bounded length: what is in use, and what it leaves open. */
export function summary(
  { config, digest }: Pick<ReadConfig, 'config' | 'digest'>,
  now = Date.now(),
): string {
  const { routes, sources, fallback, verifyConditions, shadow } = config;
  const used = new Set<string>();
  const open: Array<{ readonly name: string; readonly route: Route }> = [];
  for (const route of routes) {
    for (const name of route.sources) {
      used.add(name);
      const remote = sources.get(name)?.remote;
      const isOpen =
        remote && (route.onUnavailable ?? remote.onUnavailable) === 'fail-open';
      if (isOpen) open.push({ name, route });
    }
  }
  const observed = observedIn(config).filter(each => isObserving(each, now));
  for (const { answer } of observed) used.add(answer);
  const observing = some(
    observed,
    each =>
      `until ${new Date(each.until).toISOString()}, so decisions of ${observedPart(each)} are ` +
      `recorded but NOT ENFORCED: '${each.answer}' answers`,
  );
  const withStandby = [...used].filter(
    name => standbyChain(name, sources, 2).length > 1,
  );
  const standbys = some(withStandby, name =>
    formatChain(name, sources, each => `'${each}'`),
  );
  const opened = some(
    open,
    ({ name, route }) => `source '${name}' on ${routeLabel(route)}`,
  );
  return [
    `${count(routes.length, 'route')}, ${count(used.size, 'source')} (${someOf([...used])}).`,
    `A permission no route matches gets ${fallback === 'allow' ? 'ALLOW (fallback: allow)' : 'DENY'}.`,
    ...(observing !== '' ? [`OBSERVING ${observing}.`] : []),
    ...(standbys !== '' ? [`Standby: ${standbys}.`] : []),
    ...(verifyConditions === false
      ? ['Conditions are NOT VERIFIED (verifyConditions: false).']
      : []),
    ...(opened !== '' ? [`FAIL-OPEN, so an outage allows: ${opened}.`] : []),
    ...(shadow.size > 0
      ? [`Compared, and never enforced: ${shadowsInWords(shadow)}.`]
      : []),
    `Digest ${digest}.`,
  ].join(' ');
}

/** The first items, and how many more there are. */
function some<T>(items: readonly T[], format: (item: T) => string): string {
  const more = items.length - MAX_NAMED;
  const first = items.slice(0, MAX_NAMED).map(format).join('; ');
  return more > 0 ? `${first} and ${more} more` : first;
}

const count = (number: number, noun: string): string =>
  `${number} ${noun}${number === 1 ? '' : 's'}`;
