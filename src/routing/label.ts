import { cut, someOf } from '../lib/bounded';
import { formatPrefix } from './prefix';
import type { RoutePattern } from './route';

const MAX_TYPES = 3;

/**
 * What a route fits, as messages name it: `'catalog.entity' [update, delete] catalog-entity`. Of
 * bounded length.
 */
export function routeLabel({ segments, actions, resourceTypes }: RoutePattern): string {
  const types = resourceTypes?.slice(0, MAX_TYPES).map(type => cut(type, 50));
  return [
    `'${cut(formatPrefix(segments))}'`,
    ...(actions ? [`[${actions.join(', ')}]`] : []),
    ...(types ? [someOf(types, resourceTypes!.length, MAX_TYPES)] : []),
  ].join(' ');
}
