import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Permission } from '@backstage/plugin-permission-common';
import pLimit from 'p-limit';
import { someNames } from '../lib/bounded';
import { settleWithin } from '../lib/deadline';
import { errorName } from '../lib/foreign-error';
import { quote } from '../lib/quote';
import { isSame } from './complete';
import { permissionsIn, type Declaration } from './declaration';
import type { PluginMetadata } from './plugin-metadata';

/** Minimum milliseconds between two readings because of a name that is unknown. */
export const READ_AGAIN_AFTER = 10_000;
/** The longest wait, in milliseconds, until plugins that could not be read are asked again. */
export const LONGEST_WAIT = 60_000;
const FIRST_WAIT = 1000;
/** Failures in a row: a plugin that takes a few seconds to start is nothing to warn of. */
const PATIENCE = 4;
/** For the list of the installed plugins, in milliseconds. */
const LISTING_TIMEOUT = 5000;
const READINGS_AT_ONCE = 8;
const MAX_PLUGINS = 1000;

export interface DeclaredServices {
  readonly logger: LoggerService;
  /** The ids of the plugins that are installed. */
  readonly installed: () => Promise<readonly string[]>;
  /** Asks a plugin; never rejects, and settles within its own timeout. */
  readonly read: (pluginId: string) => Promise<PluginMetadata>;
  /** Called after each reading that changed what is known. Default: nothing. */
  readonly onRead?: () => void;
  /** Milliseconds on a monotonic clock. */
  readonly now?: () => number;
  /** Calls back after so many milliseconds; returns what cancels it. */
  readonly later?: (callback: () => void, milliseconds: number) => () => void;
}

/** What is known of one plugin. */
export interface DeclaringPlugin {
  readonly pluginId: string;
  /**
   * - `read`: it answered when it was last asked.
   * - `failing`: it has answered, but not when it was last asked; what it said before is kept.
   * - `unread`: it has not answered yet, or it lets no service in.
   */
  readonly state: 'read' | 'failing' | 'unread';
  readonly permissions: ReadonlyArray<Readonly<Permission>>;
}

/** What is known now of all plugins. */
export interface DeclaredState {
  /** Sorted by id. */
  readonly plugins: readonly DeclaringPlugin[];
  /** Whether the host could list the installed plugins when it was last asked. */
  readonly isListed: boolean;
  /** Whether every plugin has answered, or has failed for some seconds. */
  readonly isSettled: boolean;
}

interface Plugin {
  /** Of the last reading that succeeded. */
  permissions: ReadonlyArray<Readonly<Permission>>;
  /** Whether it has answered at least once. */
  isRead: boolean;
  /** Whether it let no service in when it was last asked. */
  isRefusing: boolean;
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
  private isSettled = false;
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

  /**
   * What is known of a name now. Nothing, before every plugin has answered or has failed for some
   * seconds: another one may declare the name too. An unknown name is looked for in the background.
   */
  of(name: string): Declaration {
    if (!this.isSettled) return UNREAD;
    const known = this.byName.get(name);
    if (known) return known;
    const isDue = !this.reading && this.now() - this.readAt >= READ_AGAIN_AFTER;
    if (isDue) this.read();
    return this.isComplete ? NONE : UNREAD;
  }

  /** What is known of all plugins now; nothing is asked. */
  all(): DeclaredState {
    const plugins = [...this.plugins.keys()].sort().map(pluginId => {
      const plugin = this.plugins.get(pluginId)!;
      return { pluginId, state: stateOf(plugin), permissions: plugin.permissions };
    });
    const { isListed, isSettled } = this;
    return { plugins, isListed, isSettled };
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
    const failed = (error: unknown): void => {
      this.services.logger.warn(
        `Could not read what the plugins declare (${errorName(error) ?? 'an unknown error'})`,
      );
    };
    this.reading = this.readAll()
      .catch(failed)
      .then(() => {
        this.reading = undefined;
        this.readAt = this.now();
        if (this.isChanged) this.read();
        else if (this.isOpen) this.readFailingLater();
      });
  }

  private async readAll(): Promise<void> {
    const before = this.all();
    const installed = await this.installed();
    const ids = new Set([...installed, ...this.named].slice(0, MAX_PLUGINS));
    for (const id of this.plugins.keys()) if (!ids.has(id)) this.plugins.delete(id);
    await Promise.all([...ids].map(id => this.limit(() => this.readOne(id))));
    this.byName = this.index();
    const plugins = [...this.plugins.values()];
    this.isSettled =
      this.isListed &&
      plugins.every(({ isRead, failures }) => isRead || failures >= PATIENCE);
    this.isComplete = this.isListed && plugins.every(({ isRead }) => isRead);
    if (!isSameState(before, this.all())) this.services.onRead?.();
  }

  private async installed(): Promise<readonly string[]> {
    try {
      const ids = await settleWithin(this.services.installed(), LISTING_TIMEOUT, () => {
        throw new Error(`no answer within ${LISTING_TIMEOUT} ms`);
      });
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
    const permissions =
      metadata.kind === 'refused'
        ? plugin.permissions
        : metadata.kind === 'published'
          ? permissionsIn(metadata.body)
          : [];
    const failure = failureOf(metadata, plugin, permissions.length);
    if (failure !== undefined) {
      plugin.failures += 1;
      if (plugin.failures === PATIENCE) this.warn(id, failure, plugin.isRead);
      return;
    }
    plugin.failures = 0;
    plugin.isRead = true;
    plugin.isRefusing = metadata.kind === 'refused';
    plugin.permissions = permissions;
  }

  private index(): ReadonlyMap<string, Declaration> {
    const declarations = new Map<string, Declaration>();
    for (const pluginId of [...this.plugins.keys()].sort()) {
      for (const permission of this.plugins.get(pluginId)!.permissions) {
        const { name } = permission;
        const before = declarations.get(name);
        if (before && isAgain(before, pluginId, permission)) continue;
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
      `Declared more than once: ${someNames(names)}. Questions that leave out the action or the ` +
        'resource type are decided as they are asked',
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

const newPlugin = (): Plugin => ({
  permissions: [],
  isRead: false,
  isRefusing: false,
  failures: 0,
});

function stateOf({
  isRead,
  isRefusing,
  failures,
  permissions,
}: Plugin): DeclaringPlugin['state'] {
  if (!isRead || (isRefusing && permissions.length === 0)) return 'unread';
  return isRefusing || failures > 0 ? 'failing' : 'read';
}

const isSameState = (one: DeclaredState, other: DeclaredState): boolean =>
  one.isListed === other.isListed &&
  one.isSettled === other.isSettled &&
  one.plugins.length === other.plugins.length &&
  one.plugins.every((plugin, index) => isSamePlugin(plugin, other.plugins[index]!));

const isSamePlugin = (one: DeclaringPlugin, other: DeclaringPlugin): boolean =>
  one.pluginId === other.pluginId &&
  one.state === other.state &&
  one.permissions.length === other.permissions.length &&
  one.permissions.every((permission, index) => {
    const another = other.permissions[index]!;
    return permission.name === another.name && isSame(permission, another);
  });

/** Why what was read does not count; undefined if it does. */
function failureOf(
  metadata: PluginMetadata,
  { permissions, isRead, failures }: Plugin,
  found: number,
): string | undefined {
  switch (metadata.kind) {
    case 'unread':
      return metadata.why;
    case 'refused':
      // Some plugins let no service in. After a start it may only be too early.
      return isRead || failures + 1 >= PATIENCE ? undefined : metadata.why;
    case 'none':
    case 'published':
      // A plugin that starts again answers before it knows its permissions.
      return found === 0 && permissions.length > 0
        ? 'it declares none any more'
        : undefined;
  }
}

/** Whether a plugin says again what it has said. */
const isAgain = (
  before: Declaration,
  pluginId: string,
  permission: Readonly<Permission>,
): boolean =>
  before.kind === 'one' &&
  before.pluginId === pluginId &&
  isSame(before.permission, permission);

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
