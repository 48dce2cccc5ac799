import type { LoggerService } from '@backstage/backend-plugin-api';
import type { DeclaredState } from '../declared/declared-permissions';
import { someOf } from '../lib/bounded';
import { coalesced } from '../lib/coalesced';
import { quote } from '../lib/quote';
import { Slices } from '../lib/slices';
import { listDeclared } from './declared-routes';
import type { RoutePattern } from './route';
import type { RoutingTable } from './table';

/** Of the names in the debug log. */
const MAX_NAMES = 1000;

/** What is looked at. */
export interface Unrouted {
  readonly declared: DeclaredState;
  readonly table: Pick<RoutingTable<RoutePattern>, 'match'>;
  readonly fallback: 'allow' | 'deny';
}

/**
 * Logs how many of the declared permissions no route matches, once every plugin has been read, and
 * again whenever that has changed. It works in slices, and no decision waits for it.
 *
 * @param now - what is declared and in force at this moment.
 * @returns to be called when either may have changed; never throws.
 */
export function logUnrouted(logger: LoggerService, now: () => Unrouted): () => void {
  let logged = '';
  return coalesced(async () => {
    const { declared, table, fallback } = now();
    if (!declared.isSettled) return;
    const slices = new Slices();
    const { listed, leftOut, declaring } = await listDeclared(declared, slices);
    if (listed.length === 0) return;
    const names = new Set<string>();
    let unrouted = 0;
    await slices.each(listed, ({ permission }) => {
      if (table.match(permission)) return;
      unrouted += 1;
      names.add(permission.name);
    });
    const total = listed.length;
    const line = lineOf({ total, plugins: declaring, unrouted, leftOut, fallback });
    if (line === logged) return;
    logged = line;
    logger.info(line);
    if (names.size === 0) return;
    const first = [...names].slice(0, MAX_NAMES).map(quote);
    const shown = someOf(first, names.size, MAX_NAMES);
    logger.debug(`Declared permissions that no route matches: ${shown}`);
  });
}

interface Counts extends Pick<Unrouted, 'fallback'> {
  readonly total: number;
  readonly plugins: number;
  readonly unrouted: number;
  readonly leftOut: number;
}

function lineOf({ total, plugins, unrouted, leftOut, fallback }: Counts): string {
  const declare = `${total} permission${s(total)} that ${plugins} plugin${s(plugins)} declare${plugins === 1 ? 's' : ''}`;
  const more = leftOut > 0 ? ` (and ${leftOut} more, which were not looked at)` : '';
  if (unrouted === 0) return `Of ${declare}${more}, each matches a route`;
  const match = unrouted === 1 ? 'matches' : 'match';
  const get = unrouted === 1 ? 'gets' : 'get';
  const result = fallback === 'allow' ? 'ALLOW' : 'DENY';
  return (
    `Of ${declare}${more}, ${unrouted} ${match} no route and ${get} the fallback (${result}). ` +
    'docs/operations.md shows how to list them'
  );
}

const s = (count: number): string => (count === 1 ? '' : 's');
