import type { LoggerService } from '@backstage/backend-plugin-api';
import pLimit from 'p-limit';
import { quote } from '../lib/quote';
import type { RuleMetadata } from './rule-metadata';

/** Milliseconds after which published rules are read again. */
export const FRESH_FOR = 10 * 60_000;
/** Minimum milliseconds between two readings of one plugin. */
export const READ_AGAIN_AFTER = 10_000;
/** How many plugins without rules are remembered; those with rules are never forgotten. */
export const MAX_WITHOUT_RULES = 200;
const READINGS_AT_ONCE = 8;

interface Plugin {
  known?: RuleMetadata;
  /** When it was last read, on the monotonic clock. */
  readAt: number;
  /** True while the last reading failed. */
  failing: boolean;
  reading?: Promise<RuleMetadata> | undefined;
}

/**
 * Remembers which permission rules the plugins publish. The names of plugins come from policies,
 * and callers may influence them, so what is asked and remembered for names without rules is bounded.
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

  /** What is known now; undefined before the first reading. Old rules are refreshed in the background. */
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

  /** Callers that ask during a reading share it. */
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

  /** A new reading, for a caller that misses a rule; undefined if the last one is too recent. */
  readAgain(pluginId: string): Promise<RuleMetadata> | undefined {
    const plugin = this.plugins.get(pluginId);
    const isRecent = plugin && this.now() - plugin.readAt < READ_AGAIN_AFTER;
    return isRecent && !plugin.reading ? undefined : this.read(pluginId);
  }

  private keep(pluginId: string, plugin: Plugin, read: RuleMetadata): RuleMetadata {
    plugin.readAt = this.now();
    this.log(pluginId, plugin, read);
    // While a plugin cannot be read, its last known rules are better than none.
    if (read.kind !== 'unread' || plugin.known?.kind !== 'published')
      plugin.known = read;
    return plugin.known;
  }

  /** Undefined if the plugin is new and there is no room for it. */
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

  /** Logs when reading a plugin begins to fail, and when it works again. */
  private log(pluginId: string, plugin: Plugin, read: RuleMetadata): void {
    const failing = read.kind === 'unread';
    if (failing && !plugin.failing) {
      const until =
        plugin.known?.kind === 'published'
          ? 'its conditions are verified against the rules read before'
          : 'its conditions cannot be verified (verifyConditions: true lets them pass, required denies them)';
      this.logger.warn(
        `Could not read the permission rules of plugin ${quote(pluginId)} (${read.why}). Until they can be read, ${until}`,
      );
    } else if (!failing && plugin.failing) {
      this.logger.info(
        `The permission rules of plugin ${quote(pluginId)} can be read again`,
      );
    }
    plugin.failing = failing;
  }
}

const NOT_ASKED: RuleMetadata = {
  kind: 'none',
  why: 'not asked: policies have named too many other plugins that publish no rules',
};
