import type { LoggerService } from '@backstage/backend-plugin-api';
import {
  CONFIG_PATH,
  ConfigError,
  type OpaSourceConfig,
  type SourceConfig,
} from '../config/types';
import { nameOf } from './chain';
import { LocalGuard, type Guard } from './guard';
import { RemoteGuard, type RemoteGuardOptions } from './remote-guard';
import type { BroughtSources } from '../hosting/brought-sources';
import { allowSource, denySource } from '../sources/constant';
import { HostedSource } from '../sources/hosted/source';
import { OpaSource } from '../sources/opa/source';
import { OpaWasmSource } from '../sources/opa-wasm/source';
import { OwnershipSource } from '../sources/ownership/source';
import type { RemoteSource } from '../sources/source';

/** What sources are made with. */
export interface SourceServices {
  readonly logger: LoggerService;
  /** The policies that other modules bring. */
  readonly brought: BroughtSources;
}

/** Where a source is asked: one guard for each of its endpoints. */
export interface Endpoint {
  readonly guard: Guard;
  /** Its URL, if the source has several. */
  readonly endpoint?: string;
}

/**
 * The source a config describes, with a guard around each of its endpoints.
 *
 * @throws ConfigError naming the source if it cannot be set up.
 */
export async function guardedSource(
  name: string,
  config: SourceConfig,
  services: SourceServices,
): Promise<readonly Endpoint[]> {
  try {
    return await assemble(name, config, services);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ path: `${CONFIG_PATH}.sources.${name}`, message }]);
  }
}

async function assemble(
  name: string,
  config: SourceConfig,
  { logger, brought }: SourceServices,
): Promise<readonly Endpoint[]> {
  switch (config.type) {
    case 'opa': {
      const several = config.endpoints.length > 1;
      return config.endpoints.map(baseUrl => {
        const endpoint = several ? { endpoint: baseUrl } : {};
        const who = `Source ${nameOf({ source: name, standby: false, ...endpoint })}`;
        return { ...endpoint, guard: opaGuard(who, baseUrl, config, logger) };
      });
    }
    case 'hosted': {
      const source = new HostedSource(name, brought.get(name), logger);
      return [{ guard: remoteGuard(`Source '${name}'`, source, config.guard, logger) }];
    }
    case 'opa-wasm':
      return [
        {
          guard: new LocalGuard(await OpaWasmSource.load(config.options, name, logger)),
        },
      ];
    case 'ownership':
      return [{ guard: new LocalGuard(new OwnershipSource(config.options)) }];
    case 'allow':
      return [{ guard: new LocalGuard(allowSource()) }];
    case 'deny':
      return [{ guard: new LocalGuard(denySource()) }];
  }
}

function opaGuard(
  who: string,
  baseUrl: string,
  { options, guard }: OpaSourceConfig,
  logger: LoggerService,
): Guard {
  const { concurrency, timeout } = guard;
  const source = new OpaSource({
    ...options,
    baseUrl,
    concurrency,
    connectTimeout: timeout,
  });
  return remoteGuard(who, source, guard, logger);
}

function remoteGuard(
  who: string,
  source: RemoteSource,
  options: RemoteGuardOptions,
  logger: LoggerService,
): Guard {
  return new RemoteGuard(
    source,
    options,
    state => {
      const what = `${who}: circuit breaker ${state}`;
      if (state === 'open') logger.warn(what);
      else logger.info(what);
    },
    () =>
      logger.error(
        `${who}: all of its ${options.concurrency} calls hang. No question is put until one ` +
          'ends; a restart, or a change of the config of the source, gives it new ones',
      ),
  );
}
