import { resolve } from 'node:path';
import type { LoggerService, RootConfigService } from '@backstage/backend-plugin-api';
import { equal } from '../lib/equal';
import { STUCK, watchPath } from '../lib/file-watch';
import { LastGood } from '../lib/last-good';
import { Slices } from '../lib/slices';
import type { ProvidedPolicyInfo } from './hosted';
import {
  routingFilePath,
  TABLE_KEYS,
  type RoutingFileContent,
} from './merge-routing-file';
import { readConfig, type ReadConfig } from './read';
import { readRoutingFile } from './routing-file';
import { CONFIG_PATH } from './types';

/** Milliseconds until a refused config is tried again: its bundle may not exist yet. */
const RETRY_INTERVAL = 10_000;

/**
 * Takes a valid config into use; if it throws, the last good one must still be in use.
 *
 * @param routingFile - where its table comes from, if not from app-config.
 */
export type ApplyConfig = (read: ReadConfig, routingFile?: string) => Promise<void>;

interface Loaded {
  readonly read: ReadConfig;
  /** What it was read from. */
  input: { readonly raw: unknown; readonly file?: RoutingFileContent | undefined };
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

  /** @param reloaded - called after each change with what came of it; must not throw. */
  constructor(
    private readonly rootConfig: RootConfigService,
    private readonly logger: LoggerService,
    private readonly provided: ProvidedPolicyInfo,
    private readonly reloaded: (outcome: 'used' | 'rejected') => void = () => {},
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
    const reloads: LastGood<Loaded> = new LastGood(this.first, {
      load: inUse => this.load(inUse, reloads.reload),
      use: ({ read, input }) => apply(read, input.file?.path),
      accepted: ({ recovered }) => {
        this.reloaded('used');
        if (recovered) {
          this.logger.info('The policy router config is valid again and in use');
        }
      },
      rejected: problem => {
        this.reloaded('rejected');
        this.logger.error(
          `The changed config is not used, the last good one stays: ${problem}`,
        );
      },
      retryAfter: RETRY_INTERVAL,
    });
    this.reloads = reloads;
    this.first = undefined;
    const subscription = this.rootConfig.subscribe?.(reloads.reload);
    this.endConfigWatch = () => subscription?.unsubscribe();
    // Picks up what has changed since the first reading, and begins to watch the file.
    reloads.reload();
  }

  /** Why the changed config is not used; undefined if the config in use is the latest. */
  get rejected(): string | undefined {
    return this.reloads?.problem;
  }

  /** The path of the routing file in use, as configured; undefined if the table is in app-config. */
  get routingFile(): string | undefined {
    return this.inUse?.input.file?.path;
  }

  /**
   * Reads the config in use with another routing table in place of its own. Nothing is changed.
   *
   * @throws ConfigError with every problem of the table.
   */
  async propose(table: RoutingFileContent): Promise<ReadConfig> {
    const raw = this.inUse?.input.raw;
    const settings = { ...(raw as Record<string, unknown>) };
    for (const key of [...TABLE_KEYS, 'routingFile']) delete settings[key];
    // It stands for a table in app-config, where routes may be observed.
    if (routingFilePath(raw) === undefined) settings.observeInRoutingFile = true;
    return readConfig(settings, table, this.provided);
  }

  private get inUse(): Loaded | undefined {
    return this.reloads?.inUse ?? this.first;
  }

  stop(): void {
    this.reloads?.stop();
    this.endConfigWatch();
    this.file?.endWatch();
  }

  /**
   * @param inUse - returned if nothing has changed; then nothing is read again either.
   * @param onFileChange - watches the routing file.
   */
  private async load(inUse?: Loaded, onFileChange?: () => void): Promise<Loaded> {
    const slices = new Slices();
    // Backstage copies what it returns.
    const raw: unknown = this.rootConfig.getOptional(CONFIG_PATH);
    const path = routingFilePath(raw);
    if (onFileChange) this.watchFile(path, onFileChange);
    const file =
      path === undefined ? undefined : { path, content: await readRoutingFile(path) };
    const input = { raw, file };
    if (slices.isOver()) await slices.next();
    if (inUse && (await equal(input, inUse.input, slices))) return inUse;
    const read = await readConfig(raw, file, this.provided, slices);
    if (inUse && (await equal(read, inUse.read, slices))) {
      // Written differently, but the same.
      inUse.input = input;
      return inUse;
    }
    return { read, input };
  }

  private watchFile(named: string | undefined, onChange: () => void): void {
    const path = named === undefined ? undefined : resolve(named);
    if (path === this.file?.path) return;
    this.file?.endWatch();
    this.file = undefined;
    if (path === undefined) return;
    const endWatch = watchPath(path, {
      changed: onChange,
      stuck: () => this.logger.warn(`The routing file '${named}' ${STUCK}`),
    });
    this.file = { path, endWatch };
  }
}
