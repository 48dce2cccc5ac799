import type { LoggerService } from '@backstage/backend-plugin-api';
import pLimit from 'p-limit';
import { quote } from '../lib/quote';
import type { RuleMetadata } from './rule-metadata';

/** Milliseconds after which published rules are read anew. */
export const FRESH_FOR = 10 * 60_000;
/** Milliseconds between two readings of one plugin, at least. */
export const READ_AGAIN_AFTER = 10_000;
/** Of plugins that publish no rules; those that do are never forgotten. */
export const MAX_WITHOUT_RULES = 200;
const READINGS_AT_ONCE = 8;

interface Plugin {
  known?: RuleMetadata;
  /** When it was read last; on the monotonic clock. */
  readAt: number;
  /** True while the last reading failed. */
  failing: boolean;
  reading?: Promise<RuleMetadata> | undefined;
}

/**
 * Remembers which permission rules the plugins publish. Policies name the plugins, and callers
 * may have a say in it: so what is asked and remembered of names without rules is bounded.
 */
export class RuleDirectory {
  private readonly plugins = new Map<string, Plugin>();
  private readonly limit = pLimit(READINGS_AT_ONCE);

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
    if (!plugin) return Promise.resolve(NOT_ASKED);
    plugin.reading ??= this.limit(this.readMetadata, pluginId)
      .then(read => this.keep(pluginId, plugin, read))
      .finally(() => {
        plugin.reading = undefined;
      });
    return plugin.reading;
  }

  /** A new reading, for one who misses something; undefined if the last is too recent. */
  readAgain(pluginId: string): Promise<RuleMetadata> | undefined {
    const plugin = this.plugins.get(pluginId);
    const isRecent = plugin && this.now() - plugin.readAt < READ_AGAIN_AFTER;
    return isRecent && !plugin.reading ? undefined : this.read(pluginId);
  }

  private keep(pluginId: string, plugin: Plugin, read: RuleMetadata): RuleMetadata {
    plugin.readAt = this.now();
    this.tell(pluginId, plugin, read);
    // Rules that were published once are better than none.
    if (read.kind !== 'unread' || plugin.known?.kind !== 'published')
      plugin.known = read;
    return plugin.known;
  }

  /** Undefined if it is new, and there is no room. */
  private remember(pluginId: string): Plugin | undefined {
    const remembered = this.plugins.get(pluginId);
    if (remembered) return remembered;
    const withoutRules = [...this.plugins].filter(
      ([, { known }]) => known?.kind !== 'published',
    );
    if (withoutRules.length >= MAX_WITHOUT_RULES) {
      const old = withoutRules.find(
        ([, { reading, readAt }]) =>
          !reading && this.now() - readAt >= READ_AGAIN_AFTER,
      );
      if (!old) return undefined;
      this.plugins.delete(old[0]);
    }
    const plugin: Plugin = { readAt: -Infinity, failing: false };
    this.plugins.set(pluginId, plugin);
    return plugin;
  }

  /** Once when it begins to fail, once when it is over. */
  private tell(pluginId: string, plugin: Plugin, read: RuleMetadata): void {
    const failing = read.kind === 'unread';
    if (failing && !plugin.failing) {
      const until =
        plugin.known?.kind === 'published'
          ? 'its conditions are verified by those that were read before'
          : 'its conditions cannot be verified: verifyConditions true lets them pass, required denies them';
      this.logger.warn(
        `The permission rules of plugin ${quote(pluginId)} could not be read (${read.why}). Until they can, ${until}`,
      );
    } else if (!failing && plugin.failing) {
      this.logger.info(
        `The permission rules of plugin ${quote(pluginId)} could be read again`,
      );
    }
    plugin.failing = failing;
  }
}

const NOT_ASKED: RuleMetadata = {
  kind: 'none',
  why: 'not asked: too many other plugins without rules were named',
};
