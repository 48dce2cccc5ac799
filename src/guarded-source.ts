import type { LoggerService } from '@backstage/backend-plugin-api';
import { CONFIG_PATH, ConfigError, type SourceConfig } from './config/types';
import { LocalGuard, type Guard } from './guard/guard';
import { RemoteGuard } from './guard/remote-guard';
import { allowSource, denySource } from './sources/constant';
import { OpaSource } from './sources/opa/source';
import { OpaWasmSource } from './sources/opa-wasm/source';
import { OwnershipSource } from './sources/ownership/source';

/**
 * The source a config describes, with its guard around it.
 *
 * @throws ConfigError naming the source if it cannot be set up.
 */
export async function guardedSource(
  name: string,
  config: SourceConfig,
  logger: LoggerService,
): Promise<Guard> {
  try {
    return await assemble(name, config, logger);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ path: `${CONFIG_PATH}.sources.${name}`, message }]);
  }
}

async function assemble(
  name: string,
  config: SourceConfig,
  logger: LoggerService,
): Promise<Guard> {
  switch (config.type) {
    case 'opa': {
      const { concurrency, timeout } = config.guard;
      const options = { ...config.options, concurrency, connectTimeout: timeout };
      return new RemoteGuard(new OpaSource(options), config.guard, state => {
        const what = `Source '${name}': circuit breaker ${state}`;
        if (state === 'open') logger.warn(what);
        else logger.info(what);
      });
    }
    case 'opa-wasm':
      return new LocalGuard(await OpaWasmSource.load(config.options));
    case 'ownership':
      return new LocalGuard(new OwnershipSource(config.options));
    case 'allow':
      return new LocalGuard(allowSource());
    case 'deny':
      return new LocalGuard(denySource());
  }
}
