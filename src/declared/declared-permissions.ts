import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Permission } from '@backstage/plugin-permission-common';
import pLimit from 'p-limit';
import { someNames } from '../lib/bounded';
import { errorName } from '../lib/foreign-error';
import { quote } from '../lib/quote';
import { permissionsIn, type Declaration } from './declaration';
import type { PluginMetadata } from './plugin-metadata';

/** Minimum milliseconds between two readings because of a name that is unknown. */
export const READ_AGAIN_AFTER = 10_000;
/** The longest wait, in milliseconds, until plugins that could not be read are asked again. */
export const LONGEST_WAIT = 60_000;
const FIRST_WAIT = 1000;
/** Failures in a row: a plugin that takes a few seconds to start is nothing to warn of. */
const WARN_AT = 4;
const READINGS_AT_ONCE = 8;
const MAX_PLUGINS = 1000;

export interface DeclaredServices {
  readonly logger: LoggerService;
  /** The ids of the plugins that are installed. */
  readonly installed: () => Promise<readonly string[]>;
  /** Asks a plugin; never rejects, and settles within its own timeout. */
  readonly read: (pluginId: string) => Promise<PluginMetadata>;
  /** Milliseconds on a monotonic clock. */
  readonly now?: () => number;
  /** Calls back after so many milliseconds; returns what cancels it. */
  readonly later?: (callback: () => void, milliseconds: number) => () => void;
}

interface Plugin {
  /** Of the last reading that succeeded. */
  permissions: ReadonlyArray<Readonly<Permission>>;
  /** Whether it has answered at least once. */
  isRead: boolean;
  /** Readings that failed since the last one that succeeded. */
  failures: number;
}

/**
 * What the plugins declare, as they publish it. It is read in the background: no decision waits for
 * it. What was read is kept while a plugin cannot be read again.
 */
export class DeclaredPermissions {
  private readonly plugins = new Map<string, Plugin>();
  private readonly limit = pLimit(READINGS_AT_ONCE);
  private readonly now: () => number;
  private readonly later: NonNullable<DeclaredServices['later']>;
  private byName: ReadonlyMap<string, Declaration> = new Map();
  private named: readonly string[] = [];
  private isListed = false;
  private isComplete = false;
  private isOpen = false;
  private reading: Promise<void> | undefined;
  private isChanged = false;
  private readAt = -Infinity;
  private failures = 0;
  private cancel: () => void = () => {};

  constructor(private readonly services: DeclaredServices) {
    this.now = services.now ?? (() => performance.now());
    this.later = services.later ?? unrefTimer;
  }

  /** What is known of a name now. One that is unknown is looked for in the background. */
  of(name: string): Declaration {
    const known = this.byName.get(name);
    if (known) return known;
    const isDue = !this.reading && this.now() - this.readAt >= READ_AGAIN_AFTER;
    if (isDue) this.read();
    return this.isComplete ? NONE : UNREAD;
  }

  /** The plugins to read besides those that are installed here. */
  alsoRead(pluginIds: readonly string[]): void {
    this.named = pluginIds;
    this.read();
  }

  /** Begins to read; called once the plugins can answer. */
  open(): void {
    this.isOpen = true;
    this.read();
  }

  close(): void {
    this.isOpen = false;
    this.cancel();
  }

  /** Reads all plugins, unless that is under way; then once more after it. */
  private read(): void {
    if (!this.isOpen) return;
    if (this.reading) {
      this.isChanged = true;
      return;
    }
    this.cancel();
    this.isChanged = false;
    this.reading = this.readAll().then(() => {
      this.reading = undefined;
      this.readAt = this.now();
      if (this.isChanged) this.read();
      else if (this.isOpen) this.readFailingLater();
    });
  }

  private async readAll(): Promise<void> {
    const installed = await this.installed();
    const ids = new Set([...installed, ...this.named].slice(0, MAX_PLUGINS));
    for (const id of this.plugins.keys()) if (!ids.has(id)) this.plugins.delete(id);
    await Promise.all([...ids].map(id => this.limit(() => this.readOne(id))));
    this.byName = this.index();
    this.isComplete =
      this.isListed && [...this.plugins.values()].every(({ isRead }) => isRead);
  }

  private async installed(): Promise<readonly string[]> {
    try {
      const ids = await this.services.installed();
      this.isListed = true;
      return ids;
    } catch (error) {
      const why = errorName(error) ?? 'an unknown error';
      if (this.failures === 0) {
        this.services.logger.warn(`Could not list the installed plugins (${why})`);
      }
      this.isListed = false;
      return [...this.plugins.keys()];
    }
  }

  private async readOne(id: string): Promise<void> {
    const metadata = await this.services.read(id);
    const plugin = this.plugins.get(id) ?? newPlugin();
    this.plugins.set(id, plugin);
    if (metadata.kind === 'unread') {
      plugin.failures += 1;
      if (plugin.failures === WARN_AT) this.warn(id, metadata.why, plugin.isRead);
      return;
    }
    plugin.failures = 0;
    plugin.isRead = true;
    if (metadata.kind === 'published')
      plugin.permissions = permissionsIn(metadata.body);
    if (metadata.kind === 'none') plugin.permissions = [];
  }

  private index(): ReadonlyMap<string, Declaration> {
    const declarations = new Map<string, Declaration>();
    for (const pluginId of [...this.plugins.keys()].sort()) {
      // A plugin that names a permission twice declares the last one.
      const own = new Map(
        this.plugins.get(pluginId)!.permissions.map(each => [each.name, each]),
      );
      for (const [name, permission] of own) {
        const before = declarations.get(name);
        declarations.set(
          name,
          before ? together(before, pluginId) : { kind: 'one', pluginId, permission },
        );
      }
    }
    this.reportShared(declarations);
    return declarations;
  }

  private reportShared(declarations: ReadonlyMap<string, Declaration>): void {
    const isNew = ([name, { kind }]: [string, Declaration]): boolean =>
      kind === 'several' && this.byName.get(name)?.kind !== 'several';
    const names = [...declarations].filter(isNew).map(([name]) => name);
    if (names.length === 0) return;
    this.services.logger.warn(
      `More than one plugin declares ${someNames(names)}, so questions for it are decided as they are asked`,
    );
  }

  private warn(pluginId: string, why: string, wasRead: boolean): void {
    const until = wasRead
      ? 'those read before are used'
      : 'a question that leaves out the action or the resource type is decided as it is asked';
    this.services.logger.warn(
      `Could not read the permissions that plugin ${quote(pluginId)} declares (${why}). Until they can be read, ${until}`,
    );
  }

  private readFailingLater(): void {
    const isFailing =
      !this.isListed || [...this.plugins.values()].some(each => each.failures > 0);
    this.failures = isFailing ? this.failures + 1 : 0;
    if (!isFailing) return;
    const wait = Math.min(FIRST_WAIT * 2 ** (this.failures - 1), LONGEST_WAIT);
    this.cancel = this.later(() => this.read(), wait);
  }
}

const NONE: Declaration = { kind: 'none' };
const UNREAD: Declaration = { kind: 'unread' };

const newPlugin = (): Plugin => ({ permissions: [], isRead: false, failures: 0 });

const together = (before: Declaration, pluginId: string): Declaration => ({
  kind: 'several',
  pluginIds: [
    ...(before.kind === 'one' ? [before.pluginId] : []),
    ...(before.kind === 'several' ? before.pluginIds : []),
    pluginId,
  ],
});

function unrefTimer(callback: () => void, milliseconds: number): () => void {
  const timer = setTimeout(callback, milliseconds).unref();
  return () => clearTimeout(timer);
}
