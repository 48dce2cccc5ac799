import { resolve } from 'node:path';
import type { LoggerService, RootConfigService } from '@backstage/backend-plugin-api';
import { canonical } from '../lib/canonical';
import { watchPath } from '../lib/file-watch';
import { LastGood } from '../lib/last-good';
import type { ProvidedPolicyInfo } from './hosted';
import { routingFilePath } from './merge-routing-file';
import { readConfig, type ReadConfig } from './read';
import { readRoutingFile } from './routing-file';
import { CONFIG_PATH } from './types';

/** Milliseconds until a refused config is tried again: its bundle may not exist yet. */
const RETRY_INTERVAL = 10_000;

/** Takes a valid config into use; if it throws, the last good one must still be in use. */
export type ApplyConfig = (read: ReadConfig) => Promise<void>;

interface Loaded {
  readonly read: ReadConfig;
  /** Equal for equal configs. */
  readonly key: string;
}

/**
 * The config as it is now: read once for the start, then again after every change of
 * app-config or of the routing file. An invalid config changes nothing and is logged.
 */
export class LiveConfig {
  private first: Loaded | undefined;
  private reloads: LastGood<Loaded> | undefined;
  private endConfigWatch = (): void => {};
  private file: { readonly path: string; readonly endWatch: () => void } | undefined;

  constructor(
    private readonly rootConfig: RootConfigService,
    private readonly logger: LoggerService,
    private readonly provided: ProvidedPolicyInfo,
  ) {}

  /**
   * The config for the start.
   *
   * @throws ConfigError with every problem of the config.
   */
  async read(): Promise<ReadConfig> {
    this.first = await this.load();
    return this.first.read;
  }

  /** From now on every change of the config that was read is loaded and applied, one by one. */
  watch(apply: ApplyConfig): void {
    if (!this.first) throw new Error('the config must be read before it is watched');
    const reloads = new LastGood(this.first, {
      load: async inUse => {
        this.watchFile(reloads.reload);
        const loaded = await this.load();
        return loaded.key === inUse.key ? inUse : loaded;
      },
      use: ({ read }) => apply(read),
      accepted: ({ recovered }) => {
        if (recovered) {
          this.logger.info('The policy router config is valid again and in use');
        }
      },
      rejected: problem =>
        this.logger.error(
          `The changed config is not used, the last good one stays: ${problem}`,
        ),
      retryAfter: RETRY_INTERVAL,
    });
    this.reloads = reloads;
    const subscription = this.rootConfig.subscribe?.(reloads.reload);
    this.endConfigWatch = () => subscription?.unsubscribe();
    // Picks up what has changed since the first reading, and begins to watch the file.
    reloads.reload();
  }

  stop(): void {
    this.reloads?.stop();
    this.endConfigWatch();
    this.file?.endWatch();
  }

  private async load(): Promise<Loaded> {
    const raw: unknown = this.rootConfig.getOptional(CONFIG_PATH);
    const path = routingFilePath(raw);
    const file =
      path === undefined ? undefined : { path, content: await readRoutingFile(path) };
    const read = readConfig(raw, file, this.provided);
    return { read, key: canonical(read) };
  }

  private watchFile(onChange: () => void): void {
    const named = routingFilePath(this.rootConfig.getOptional(CONFIG_PATH));
    const path = named === undefined ? undefined : resolve(named);
    if (path === this.file?.path) return;
    this.file?.endWatch();
    this.file =
      path === undefined ? undefined : { path, endWatch: watchPath(path, onChange) };
  }
}
