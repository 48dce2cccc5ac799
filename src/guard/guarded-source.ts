import type { LoggerService } from '@backstage/backend-plugin-api';
import { nameOf } from '../answer';
import type { Turns } from '../lib/turns';
import type { HostedPolicies } from '../sources/hosted/policies';
import type {
  BuildContext,
  RemoteKind,
  RemoteSettings,
  SourceConfig,
} from '../sources/kind';
import { kindOf } from '../sources/kinds';
import type { RemoteSource } from '../sources/source';
import { LocalGuard, type Guard } from './guard';
import { RemoteGuard, type GuardObserver } from './remote-guard';

/** What sources are made with. */
export interface SourceServices {
  readonly logger: LoggerService;
  /** The policies that other modules provide. */
  readonly policies: HostedPolicies;
  readonly turns: Turns;
}

/** Where a source is asked: one guard for each of its endpoints. */
export interface Endpoint {
  readonly guard: Guard;
  /** Its URL, if the source has several. */
  readonly endpoint?: string | undefined;
}

/**
 * The source that a config describes, with a guard around each of its endpoints.
 *
 * @throws Error that says why it cannot be set up.
 */
export async function guardedSource(
  name: string,
  { type, options, remote }: SourceConfig,
  { turns, ...services }: SourceServices,
): Promise<readonly Endpoint[]> {
  const kind = kindOf(type);
  const context = { name, ...services };
  if (kind?.isRemote && remote)
    return remoteEndpoints(kind, options, remote, context, turns);
  if (!kind || kind.isRemote) throw new Error(`there is no source of type '${type}'`);
  const source = await kind.build(options as never, context);
  return [{ guard: new LocalGuard(source, turns) }];
}

function remoteEndpoints(
  kind: RemoteKind,
  options: unknown,
  { endpoints, guard }: RemoteSettings,
  context: BuildContext,
  turns: Turns,
): Endpoint[] {
  const { name, logger } = context;
  const { concurrency, timeout } = guard;
  return endpoints.map(url => {
    const endpoint = endpoints.length > 1 ? url : undefined;
    const who = `Source ${nameOf({ source: name, endpoint, standby: false })}`;
    const build = (slots: number): RemoteSource =>
      kind.build(options as never, {
        ...context,
        endpoint: url,
        concurrency: slots,
        timeout,
      });
    const remoteGuard = new RemoteGuard(
      build(concurrency),
      guard,
      observer(who, logger),
      {
        turns,
        aside: { needsUser: kind.needsUser ?? false, build },
        shadowObserver: shadowObserver(who, logger),
      },
    );
    return { endpoint, guard: remoteGuard };
  });
}

const observer = (who: string, logger: LoggerService): GuardObserver => ({
  breakerChanged: state => {
    const message = `${who}: circuit breaker ${state}`;
    if (state === 'open') logger.warn(message);
    else logger.info(message);
  },
  allCallsHang: slots =>
    logger.error(
      `${who}: all of its ${slots} calls hang. No question is put until one ends; ` +
        'a restart, or a change of the config of the source, gives it new ones',
    ),
  batchChanged: problem => {
    if (problem === undefined) logger.info(`${who}: batch works again`);
    else
      logger.warn(
        `${who}: ${problem}. Until it can be used, each question is asked by itself`,
      );
  },
});

/** Nobody is affected, so nobody is warned. */
const shadowObserver = (who: string, logger: LoggerService): GuardObserver => ({
  breakerChanged: state =>
    logger.info(`${who}, asked to compare it: circuit breaker ${state}`),
  allCallsHang: slots =>
    logger.info(`${who}, asked to compare it: all of its ${slots} calls hang`),
  batchChanged: problem => {
    if (problem !== undefined) logger.info(`${who}, asked to compare it: ${problem}`);
  },
});
