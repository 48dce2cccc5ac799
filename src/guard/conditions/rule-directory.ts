import type { LoggerService } from '@backstage/backend-plugin-api';
import type { RuleMetadata } from './rule-metadata';

/** Milliseconds after which published rules are read anew. */
export const FRESH_FOR = 10 * 60_000;
/** Milliseconds between two readings of one plugin, at least. */
export const READ_AGAIN_AFTER = 10_000;
/** Plugins are named by policies; more than this many are not remembered. */
const MAX_PLUGINS = 200;

interface Plugin {
  known?: RuleMetadata;
  /** When it was read last; on the monotonic clock. */
  readAt: number;
  /** True while the last reading failed. */
  failing: boolean;
  reading?: Promise<RuleMetadata> | undefined;
}

/** Remembers which permission rules the plugins publish. */
export class RuleDirectory {
  private readonly plugins = new Map<string, Plugin>();

  /**
   * @param readMetadata - asks a plugin; never rejects, and settles within its own timeout.
   * @param now - milliseconds on a monotonic clock.
   */
  constructor(
    private readonly readMetadata: (pluginId: string) => Promise<RuleMetadata>,
    private readonly logger: LoggerService,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** At once; undefined before the first reading. What is old is read anew meanwhile. */
  known(pluginId: string): RuleMetadata | undefined {
    const plugin = this.plugins.get(pluginId);
    if (!plugin?.known) return undefined;
    const lifetime =
      plugin.known.kind === 'published' && !plugin.failing
        ? FRESH_FOR
        : READ_AGAIN_AFTER;
    if (this.now() - plugin.readAt >= lifetime) void this.read(pluginId);
    return plugin.known;
  }

  /** All who ask while a reading is under way share it. */
  read(pluginId: string): Promise<RuleMetadata> {
    const plugin = this.remember(pluginId);
    plugin.reading ??= this.readMetadata(pluginId).then(read => {
      plugin.reading = undefined;
      plugin.readAt = this.now();
      this.tell(pluginId, plugin, read);
      // Rules that were published once are better than none.
      if (read.kind !== 'unread' || plugin.known?.kind !== 'published') {
        plugin.known = read;
      }
      return plugin.known;
    });
    return plugin.reading;
  }

  /** A new reading, for one who misses something; undefined if the last is too recent. */
  readAgain(pluginId: string): Promise<RuleMetadata> | undefined {
    const { reading, readAt } = this.remember(pluginId);
    if (reading) return reading;
    return this.now() - readAt < READ_AGAIN_AFTER ? undefined : this.read(pluginId);
  }

  private remember(pluginId: string): Plugin {
    const remembered = this.plugins.get(pluginId);
    if (remembered) return remembered;
    const [oldest] = this.plugins.keys();
    if (this.plugins.size >= MAX_PLUGINS && oldest !== undefined) {
      this.plugins.delete(oldest);
    }
    const plugin: Plugin = { readAt: -Infinity, failing: false };
    this.plugins.set(pluginId, plugin);
    return plugin;
  }

  /** Once when it begins to fail, once when it is over. */
  private tell(pluginId: string, plugin: Plugin, read: RuleMetadata): void {
    const failing = read.kind === 'unread';
    if (failing && !plugin.failing) {
      this.logger.warn(
        `The permission rules of plugin '${pluginId}' could not be read (${read.why}): ` +
          `until they can, its conditions are ${plugin.known?.kind === 'published' ? 'verified by the last ones' : 'not verified'}`,
      );
    } else if (!failing && plugin.failing) {
      this.logger.info(
        `The permission rules of plugin '${pluginId}' could be read again`,
      );
    }
    plugin.failing = failing;
  }
}
