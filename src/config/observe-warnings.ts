/** Warns before `observe` ends, and once it has: decisions change at a time, without a reload. */
import type { LoggerService } from '@backstage/backend-plugin-api';
import { routeLabel } from '../routing/label';
import { isObserving, observedIn, observedPart, type Observed } from './observe';
import { CONFIG_PATH, type ConfigPlace, type RouterConfig } from './types';
import type { ConfigWarning } from './warnings';

/** Milliseconds before its end from which it is a warning. */
const WEEK = 7 * 24 * 60 * 60 * 1000;
/** Of the ways in which something is observed. */
const MAX_NAMED = 10;
/** Milliseconds: the clock may be set meanwhile, and a longer timer may overflow. */
const MAX_STEP = 60 * 60 * 1000;

type Config = Pick<RouterConfig, 'observe' | 'routes'>;

/**
 * What is to be known of `observe` at this moment; bounded.
 *
 * @param routingFile - where the routes are, if not in app-config.
 */
export const observeWarnings = (
  config: Config,
  routingFile?: string,
  now = Date.now(),
): ConfigWarning[] =>
  warningsOf(
    observedIn(config).filter(({ until }) => until - now <= WEEK),
    routingFile,
    now,
  );

function warningsOf(
  due: readonly Observed[],
  routingFile: string | undefined,
  now: number,
): ConfigWarning[] {
  const warnings = due
    .slice(0, MAX_NAMED)
    .map(each => warningOf(each, routingFile, now));
  const more = due.length - warnings.length;
  if (more === 0) return warnings;
  const text = `and ${more} more warnings about observe`;
  const rest = { code: 'MORE_WARNINGS', place: CONFIG_PATH, message: text } as const;
  return [...warnings, { ...rest, text }];
}

function warningOf(
  observed: Observed,
  routingFile: string | undefined,
  now: number,
): ConfigWarning {
  const { first, fallback, until } = observed;
  const isRouter = fallback || !first;
  const root = routingFile === undefined ? `${CONFIG_PATH}.` : `${routingFile}: `;
  const place = isRouter
    ? `${CONFIG_PATH}.observe`
    : `${root}routes[${first.index}].observe`;
  const at: ConfigPlace = isRouter
    ? { routingFile: undefined, keys: ['observe'] }
    : { routingFile, keys: ['routes', first.index, 'observe'] };
  const subject = isRouter ? undefined : routeLabel(first);
  const end = new Date(until).toISOString();
  const what = `the decisions of ${observedPart(observed)}`;
  const named = subject === undefined ? place : `${subject} (${place})`;
  const [code, message] = isObserving(observed, now)
    ? ([
        'OBSERVE_ENDS_SOON',
        `observe ends on ${end}: from then on ${what} are enforced. GET observed of the operations ` +
          'API lists what they would have denied',
      ] as const)
    : ([
        'OBSERVE_ENDED',
        `observe ended on ${end}: ${what} are enforced now. Remove observe from the config`,
      ] as const);
  return { code, place, subject, message, text: `${named}: ${message}`, at };
}

/** Logs these warnings when they become due. */
export class ObserveEnds {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly logger: Pick<LoggerService, 'warn'>) {}

  /**
   * For a config that is taken into use: warns of what is due, and later of what becomes due.
   *
   * @param routingFile - where its routes are, if not in app-config.
   */
  follow(config: Config, routingFile?: string): void {
    this.stop();
    const now = Date.now();
    this.log(observeWarnings(config, routingFile, now));
    this.waitFor(observedIn(config), routingFile, now);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** @param since - what was due then has been logged. */
  private waitFor(
    observed: readonly Observed[],
    routingFile: string | undefined,
    since: number,
  ): void {
    const becomesDue = ({ until }: Observed, now: number): boolean =>
      [until - WEEK, until].some(time => time > since && time <= now);
    let next = Infinity;
    // A loop: as arguments of Math.min, the times of a huge table are too many.
    for (const { until } of observed)
      for (const time of [until - WEEK, until])
        if (time > since && time < next) next = time;
    if (next === Infinity) return;
    const step = Math.min(Math.max(next - Date.now(), 1), MAX_STEP);
    this.timer = setTimeout(() => {
      const now = Date.now();
      const due = observed.filter(each => becomesDue(each, now));
      this.log(warningsOf(due, routingFile, now));
      this.waitFor(observed, routingFile, Math.max(since, now));
    }, step).unref();
  }

  private log(warnings: readonly ConfigWarning[]): void {
    for (const { text } of warnings) this.logger.warn(text);
  }
}
