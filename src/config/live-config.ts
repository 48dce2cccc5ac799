import { resolve } from 'node:path';
import type { LoggerService, RootConfigService } from '@backstage/backend-plugin-api';
import { coalesced } from '../lib/coalesced';
import { watchPath } from '../lib/file-watch';
import { canonical } from '../lib/canonical';
import { routingFilePath } from './merge-routing-file';
import type { Brought } from './hosted';
import { readConfig, type ReadConfig } from './read';
import { readRoutingFile } from './routing-file';
import { CONFIG_PATH } from './types';

/** A config may name a bundle that is yet to come; milliseconds to the next try. */
const RETRY_INTERVAL = 10_000;

/** Takes a valid config into use; if it throws, the last good one has stayed in use. */
export type ApplyConfig = (read: ReadConfig) => Promise<void>;

/**
 * The config as it is now: read once for the start, then again after every change of
 * app-config or of the routing file. What is invalid changes nothing and is logged.
 */
export class LiveConfig {
  private stopFileWatch: (() => void) | undefined;
  private watchedFile: string | undefined;
  private stopConfigWatch: (() => void) | undefined;
  private apply: ApplyConfig | undefined;
  private inUse: string | undefined;
  private lastProblem: string | undefined;
  private stopped = false;
  private retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly rootConfig: RootConfigService,
    private readonly logger: LoggerService,
    private readonly brought: Brought,
  ) {}

  /**
   * The config for the start.
   *
   * @throws ConfigError with every problem of the config.
   */
  async first(): Promise<ReadConfig> {
    const read = await this.load();
    this.inUse = canonical(read);
    return read;
  }

  private async load(): Promise<ReadConfig> {
    const raw: unknown = this.rootConfig.getOptional(CONFIG_PATH);
    const path = routingFilePath(raw);
    if (path === undefined) return readConfig(raw, undefined, this.brought);
    const content = await readRoutingFile(path);
    return readConfig(raw, { path, content }, this.brought);
  }

  /** From now on every change is loaded and applied, one after the other. */
  watch(apply: ApplyConfig): void {
    this.apply = apply;
    const subscription = this.rootConfig.subscribe?.(this.onChange);
    this.stopConfigWatch = () => subscription?.unsubscribe();
    // Catches what has changed since the first reading, and begins to watch the file.
    this.onChange();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    this.stopConfigWatch?.();
    this.stopFileWatch?.();
  }

  private readonly onChange = coalesced(async () => {
    if (!this.stopped) await this.reload();
  });

  private async reload(): Promise<void> {
    clearTimeout(this.retry);
    try {
      this.watchFile();
      const read = await this.load();
      if (this.stopped) return;
      const key = canonical(read);
      if (key !== this.inUse) {
        await this.applyOrRetry(read);
        this.inUse = key;
      }
      if (this.lastProblem !== undefined) {
        this.lastProblem = undefined;
        this.logger.info('The policy router config is valid again and in use');
      }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (problem === this.lastProblem) return;
      this.lastProblem = problem;
      this.logger.error(
        `The changed config is not used, the last good one stays: ${problem}`,
      );
    }
  }

  private async applyOrRetry(read: ReadConfig): Promise<void> {
    try {
      await this.apply?.(read);
    } catch (error) {
      // What it lacks is outside of the config, so its coming is no change of it.
      this.retry = setTimeout(this.onChange, RETRY_INTERVAL).unref();
      throw error;
    }
  }

  private watchFile(): void {
    const named = routingFilePath(this.rootConfig.getOptional(CONFIG_PATH));
    const path = named === undefined ? undefined : resolve(named);
    if (path === this.watchedFile) return;
    this.stopFileWatch?.();
    this.watchedFile = path;
    this.stopFileWatch =
      path === undefined ? undefined : watchPath(path, this.onChange);
  }
}
