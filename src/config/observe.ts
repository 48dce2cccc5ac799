/** `observe` in the config: how it is written, and what it concerns. */
import { z } from 'zod';
import { cut, someNames } from '../lib/bounded';
import { shown, strict, text } from '../lib/fields';
import { isJsonObject } from '../lib/json-object';
import type { Checking } from './checking';
import type { Observe, Route, RouterConfig } from './types';

/** A day or a time, which must say its time zone. */
const UNTIL = new RegExp(
  `${z.regexes.date.source}|${z.regexes.datetime({ offset: true }).source}`,
);

const untilError = ({ input }: { readonly input: unknown }): string =>
  `${input === undefined ? 'is required' : 'must be'}: a date such as '2027-01-31' ` +
  `(enforced from 00:00 UTC that day), or a time such as '2027-01-31T09:00:00Z'${shown(input)}`;

/** As epoch milliseconds; of a date alone those of 00:00 in UTC. */
const until = z
  .string({ error: untilError })
  .regex(UNTIL, { error: untilError })
  .transform(value => Date.parse(value));

export const observe = strict({
  answer: text('the name of the source that answers meanwhile').describe(
    "Whose answer is given, such as 'allow'. If it fails or abstains, the answer is DENY.",
  ),
  until: until.describe(
    "From then on decisions are enforced: '2027-01-31', which means from 00:00 UTC on, or a time such " +
      "as '2027-01-31T09:00:00Z'.",
  ),
});

/** Of a route, which may also be enforced while the others are observed. */
export const routeObserve = z
  .union([observe, z.literal(false)], {
    error: ({ input, ...issue }) => {
      if (!isJsonObject(input)) return 'must be an object of answer, until, or false';
      const [ofObject = []] = (issue as { errors?: z.core.$ZodIssue[][] }).errors ?? [];
      return ofObject
        .map(({ path, message }) => [...path.map(String), message].join(' '))
        .join('; ');
    },
  })
  .optional();

/** What is observed on a route, or by the fallback; undefined if decisions are enforced. */
export function observeOf(
  route: Pick<Route, 'observe'> | undefined,
  config: Pick<RouterConfig, 'observe'>,
): Observe | undefined {
  const own = route?.observe;
  return own === false ? undefined : (own ?? config.observe);
}

export const isObserving = ({ until: end }: Observe, now = Date.now()): boolean =>
  now < end;

/** Takes raw values: an unknown source is reported even if something else is wrong beside it. */
export async function unknownAnswers(
  rawRouter: unknown,
  rawRoutes: readonly unknown[],
  names: ReadonlySet<string>,
  { findings, slices }: Checking,
): Promise<void> {
  const allowed = someNames([...names]);
  const check = (holder: unknown, path: ReadonlyArray<string | number>): void => {
    const value = isJsonObject(holder) ? holder.observe : undefined;
    const answer = isJsonObject(value) ? value.answer : undefined;
    if (typeof answer !== 'string' || answer === '' || names.has(answer)) return;
    findings.add({
      path: [...path, 'observe', 'answer'],
      message: `unknown source '${cut(answer)}'; allowed: ${allowed}`,
      sameAs: `unknown source ${answer}`,
    });
  };
  check(rawRouter, []);
  await slices.each(rawRoutes, (route, index) => check(route, ['routes', index]));
}

/**
 * Who may change the routing file must not end the enforcement of the table, unless app-config says
 * so.
 *
 * @param setting - `observeInRoutingFile`.
 * @param isFile - whether the table is in a routing file.
 */
export async function observeInFile(
  setting: boolean | undefined,
  isFile: boolean,
  rawRoutes: readonly unknown[],
  { findings, slices }: Checking,
): Promise<void> {
  if (!isFile) {
    if (setting !== true) return;
    const message = 'has no effect without routingFile; remove it';
    findings.add({ path: ['observeInRoutingFile'], message });
    return;
  }
  if (setting === true) return;
  await slices.each(rawRoutes, (route, index) => {
    if (!isJsonObject(route) || !isJsonObject(route.observe)) return;
    const message =
      'is not allowed in a routing file, because anyone who can change this file could then ' +
      'end enforcement; set observeInRoutingFile: true in app-config, or set observe in app-config. ' +
      "Allowed: 'observe: false'";
    findings.add({ path: ['routes', index, 'observe'], message, sameAs: message });
  });
}

/** What is observed in the same way. */
export interface Observed extends Observe {
  readonly routes: number;
  /** Undefined if only the fallback is observed so. */
  readonly first: Route | undefined;
  readonly fallback: boolean;
}

/** Everything that is or was observed, each way once; the earliest end first. */
export function observedIn(
  config: Pick<RouterConfig, 'observe' | 'routes'>,
): readonly Observed[] {
  const ways = new Map<string, { -readonly [K in keyof Observed]: Observed[K] }>();
  const wayOf = (setting: Observe) => {
    const key = JSON.stringify([setting.until, setting.answer]);
    let way = ways.get(key);
    if (!way) {
      way = { ...setting, routes: 0, first: undefined, fallback: false };
      ways.set(key, way);
    }
    return way;
  };
  const common = config.observe && wayOf(config.observe);
  if (common) common.fallback = true;
  for (const route of config.routes) {
    const setting = observeOf(route, config);
    const way = setting === config.observe ? common : setting && wayOf(setting);
    if (!way) continue;
    way.routes++;
    way.first ??= route;
  }
  return [...ways.values()].sort((a, b) => a.until - b.until);
}

/** `3 routes and the fallback` */
export function observedPart({ routes, fallback }: Observed): string {
  return [
    ...(routes > 0 ? [`${routes} route${routes === 1 ? '' : 's'}`] : []),
    ...(fallback ? ['the fallback'] : []),
  ].join(' and ');
}
