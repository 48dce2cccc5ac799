import { standbyChain } from './standby';
import type { RouterConfig } from './types';

/** One line for the log: what is in use, and what it leaves open. */
export function summary(config: RouterConfig): string {
  const { routes, sources, fallback, verifyConditions } = config;
  const used = new Set(routes.flatMap(route => route.sources));
  const open = routes.flatMap(route =>
    route.sources.flatMap(name => {
      const remote = sources.get(name)?.remote;
      const isOpen =
        remote && (route.onUnavailable ?? remote.onUnavailable) === 'fail-open';
      return isOpen ? [`source '${name}' on ${route.label}`] : [];
    }),
  );
  const standbys = [...used].flatMap(name => {
    const chain = standbyChain(name, sources);
    return chain.length > 1 ? [chain.map(each => `'${each}'`).join(' → ')] : [];
  });
  return [
    `${count(routes.length, 'route')}, ${count(used.size, 'source')} (${[...used].join(', ')}).`,
    `A permission no route matches gets ${fallback === 'allow' ? 'ALLOW (fallback: allow)' : 'DENY'}.`,
    ...(standbys.length > 0 ? [`Standby: ${standbys.join('; ')}.`] : []),
    ...(verifyConditions === false
      ? ['Conditions are NOT VERIFIED (verifyConditions: false).']
      : []),
    ...(open.length > 0 ? [`FAIL-OPEN, so an outage allows: ${open.join('; ')}.`] : []),
  ].join(' ');
}

const count = (number: number, noun: string): string =>
  `${number} ${noun}${number === 1 ? '' : 's'}`;
