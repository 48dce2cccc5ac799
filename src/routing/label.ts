import { cut, someOf } from '../lib/bounded';
import { formatPattern, type NamePattern } from '../prefix';
import type { RoutePattern } from './route';

const MAX_TYPES = 3;

/** `'catalog.entity'`, `'cost/'` or `name 'cost/a b'`. Of bounded length. */
export const patternLabel = (pattern: NamePattern, most = 100): string =>
  `${pattern.kind === 'name' ? 'name ' : ''}'${cut(formatPattern(pattern), most)}'`;

/**
 * What a route fits, as messages name it: `'catalog.entity' [update, delete] catalog-entity`, or
 * `name 'cost/a b' [read]`. Of bounded length.
 */
export function routeLabel(route: RoutePattern): string {
  const { actions, resourceTypes } = route;
  const types = resourceTypes?.slice(0, MAX_TYPES).map(type => cut(type, 50));
  return [
    patternLabel(route),
    ...(actions ? [`[${actions.join(', ')}]`] : []),
    ...(types ? [someOf(types, resourceTypes!.length, MAX_TYPES)] : []),
  ].join(' ');
}
