import { createHash } from 'node:crypto';
import { canonical } from '../lib/canonical';
import type { Slices } from '../lib/slices';
import type { SourceConfig } from '../sources/kind';
import { kindOf } from '../sources/kinds';
import type { Route, RouterConfig } from './types';

/** In hexadecimal digits: short enough to compare by eye. */
const LENGTH = 12;

/**
 * A short digest of what decides, so that replicas can be compared: equal for equal tables and
 * settings, whatever the order of keys and of routes. Of a secret it says only whether it is set,
 * so nobody can test a guess with it. What a bundle or an OPA server contains is not part of it.
 */
export async function digestOf(
  {
    routes,
    sources,
    visibility: _visibility,
    shadow: _shadow,
    ...settings
  }: RouterConfig,
  slices: Slices,
): Promise<string> {
  // A sum of hashes does not depend on their order, and needs no sorting of a huge table.
  let sum = 0n;
  const add = (kind: string, part: unknown): void => {
    sum += BigInt(`0x${sha256(canonical([kind, part]))}`);
  };
  add('settings', settings);
  await slices.each(sources, ([name, source]) => add('source', [name, shared(source)]));
  await slices.each(routes, route => add('route', deciding(route)));
  return sha256(sum.toString(16)).slice(0, LENGTH);
}

const sha256 = (text: string): string =>
  createHash('sha256').update(text).digest('hex');

/** What decides of a route. The order of its sources matters, that of its constraints does not. */
const deciding = ({
  label: _label,
  index: _index,
  actions,
  resourceTypes,
  ...route
}: Route): object => ({
  ...route,
  actions: actions && [...actions].sort(),
  resourceTypes: resourceTypes && [...resourceTypes].sort(),
});

/** What everybody may know of a source. */
function shared({ type, options, remote }: SourceConfig): object {
  const known = structuredClone(options) as Json;
  for (const path of kindOf(type)?.secrets ?? []) mask(known, path);
  return { type, options: known, remote };
}

type Json = Record<string, unknown>;

/** Replaces a secret; what is not set stays unset. */
function mask(value: Json, [key, ...rest]: readonly string[]): void {
  if (key === undefined || value[key] === undefined) return;
  if (rest.length > 0) mask(value[key] as Json, rest);
  else value[key] = 'set';
}
