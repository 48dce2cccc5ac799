import {
  DeclaredPermissions,
  LONGEST_WAIT,
  READ_AGAIN_AFTER,
} from '../../src/declared/declared-permissions';
import type { PluginMetadata } from '../../src/declared/plugin-metadata';
import { CapturedLogs } from '../support/captured-logs';
import { until } from '../support/until';

const permission = (name: string, resourceType?: string) =>
  resourceType === undefined
    ? { name, type: 'basic', attributes: { action: 'read' } }
    : { name, type: 'resource', resourceType, attributes: { action: 'read' } };
const published = (...permissions: unknown[]): PluginMetadata => ({
  kind: 'published',
  body: { permissions, rules: [] },
});
const unread: PluginMetadata = { kind: 'unread', why: 'ECONNREFUSED' };

class Plugins {
  readonly logs = new CapturedLogs();
  readonly asked: string[] = [];
  time = 0;
  timer: { callback: () => void; milliseconds: number } | undefined;
  isListed = true;
  isThrowing = false;
  lists = 0;
  changes = 0;
  readonly declared = new DeclaredPermissions({
    logger: this.logs.logger(),
    onRead: () => {
      this.changes += 1;
    },
    installed: async () => {
      this.lists += 1;
      if (!this.isListed) throw new Error('no');
      return Object.keys(this.published);
    },
    read: async pluginId => {
      this.asked.push(pluginId);
      if (this.isThrowing) throw new Error('a bug');
      return this.published[pluginId] ?? this.others[pluginId] ?? unread;
    },
    now: () => this.time,
    later: (callback, milliseconds) => {
      this.timer = { callback, milliseconds };
      return () => (this.timer = undefined);
    },
  });

  constructor(
    public published: Record<string, PluginMetadata>,
    public others: Record<string, PluginMetadata> = {},
  ) {}

  kindOf = (name: string) => this.declared.of(name).kind;

  warnings = () =>
    this.logs.lines
      .filter(({ level }) => level === 'warn')
      .map(({ message }) => message);

  async read(): Promise<this> {
    const before = this.lists;
    this.declared.open();
    await this.untilRead(before);
    return this;
  }

  async readAgain(alsoRead: readonly string[] = []): Promise<void> {
    const before = this.lists;
    this.declared.alsoRead(alsoRead);
    await this.untilRead(before);
  }

  /** Until the plugins that failed have been read again, and have failed again. */
  async untilNext(): Promise<void> {
    const { callback } = this.timer!;
    this.timer = undefined;
    callback();
    await until(() => this.timer, 'it was read again');
  }

  /** Plugins answer at once here. */
  private async untilRead(before: number): Promise<void> {
    await until(() => this.lists > before, 'the plugins are read');
    await new Promise(setImmediate);
  }
}

it('knows nothing before it is opened, and asks nobody', async () => {
  const plugins = new Plugins({ catalog: published(permission('a')) });
  expect(plugins.kindOf('a')).toBe('unread');
  await new Promise(setImmediate);
  expect(plugins.asked).toEqual([]);
});

it('reads what the installed plugins declare', async () => {
  const plugins = await new Plugins({
    catalog: published(permission('a', 't')),
    app: { kind: 'none', why: 'HTTP 404' },
  }).read();
  expect(plugins.declared.of('a')).toEqual({
    kind: 'one',
    pluginId: 'catalog',
    permission: permission('a', 't'),
  });
  expect(plugins.kindOf('b')).toBe('none');
});

it('leaves out what is not a permission', async () => {
  const odd = [null, 7, {}, { name: 'x'.repeat(257), type: 'basic' }, permission('a')];
  const plugins = await new Plugins({ catalog: published(...odd) }).read();
  expect(plugins.kindOf('a')).toBe('one');
});

it.each([
  ['null', { kind: 'published', body: null }],
  ['permissions that are not a list', { kind: 'published', body: { permissions: {} } }],
] as const)('takes %s for no permissions', async (_, metadata) => {
  const plugins = await new Plugins({ catalog: metadata }).read();
  expect(plugins.kindOf('a')).toBe('none');
});

it('decides as asked what two plugins declare, and says so once', async () => {
  const plugins = await new Plugins({
    one: published(permission('a'), permission('b')),
    two: published(permission('a')),
  }).read();
  expect(plugins.declared.of('a')).toEqual({
    kind: 'several',
    pluginIds: ['one', 'two'],
  });
  expect(plugins.kindOf('b')).toBe('one');
  await plugins.readAgain();
  expect(plugins.warnings()).toEqual([
    "Declared more than once: 'a'. Questions that leave out the action or the resource type are decided as they are asked",
  ]);
});

it('reads the plugins that the config names', async () => {
  const plugins = await new Plugins({}, { search: published(permission('a')) }).read();
  expect(plugins.kindOf('a')).toBe('none');
  await plugins.readAgain(['search']);
  expect(plugins.kindOf('a')).toBe('one');
});

it('waits some seconds for every plugin, then goes on, and asks again ever later', async () => {
  const plugins = await new Plugins({
    catalog: published(permission('a')),
    late: unread,
  }).read();
  const waits: number[] = [];
  const kinds = [[plugins.kindOf('a'), plugins.kindOf('b')]];
  for (let times = 0; times < 9; times += 1) {
    waits.push(plugins.timer!.milliseconds);
    await plugins.untilNext();
    kinds.push([plugins.kindOf('a'), plugins.kindOf('b')]);
  }
  // Another plugin may declare a too, until the fourth failure.
  expect(kinds.slice(0, 3)).toEqual(Array(3).fill(['unread', 'unread']));
  expect(kinds.slice(3)).toEqual(Array(7).fill(['one', 'unread']));
  expect(waits.slice(0, 3)).toEqual([1000, 2000, 4000]);
  expect(waits.at(-1)).toBe(LONGEST_WAIT);
  plugins.published = {
    catalog: published(permission('a')),
    late: published(permission('b')),
  };
  plugins.timer!.callback();
  await until(() => plugins.kindOf('b') === 'one', 'the late plugin was read');
  expect(plugins.timer).toBeUndefined();
  expect(plugins.warnings()).toEqual([
    'Could not read the permissions that plugin "late" declares (ECONNREFUSED). Until they can be read, a question that leaves out the action or the resource type is decided as it is asked',
  ]);
});

it('keeps what was read while a plugin cannot be read', async () => {
  const plugins = await new Plugins({ catalog: published(permission('a')) }).read();
  plugins.published = { catalog: unread };
  await plugins.readAgain();
  expect(plugins.timer).toBeDefined();
  expect([plugins.kindOf('a'), plugins.kindOf('b')]).toEqual(['one', 'none']);
});

it('takes a plugin that lets no service in for one that declares nothing', async () => {
  const refused: PluginMetadata = { kind: 'refused', why: 'HTTP 403' };
  const plugins = await new Plugins({
    a: refused,
    b: published(permission('b')),
  }).read();
  // It may only be too early.
  expect(plugins.kindOf('b')).toBe('unread');
  for (let times = 0; times < 2; times += 1) await plugins.untilNext();
  plugins.timer!.callback();
  await until(() => plugins.kindOf('b') === 'one', 'it was asked often enough');
  expect([plugins.kindOf('a'), plugins.warnings()]).toEqual(['none', []]);
  plugins.published = { b: refused };
  await plugins.readAgain();
  expect(plugins.kindOf('b')).toBe('one');
});

it.each<[string, PluginMetadata]>([
  ['no list', { kind: 'published', body: { error: {} } }],
  ['an empty list', published()],
  ['a page', { kind: 'none', why: 'its answer is not permission metadata' }],
])('keeps what was read where a plugin answers with %s', async (_, metadata) => {
  const plugins = await new Plugins({ catalog: published(permission('a')) }).read();
  plugins.published = { catalog: metadata };
  await plugins.readAgain();
  expect(plugins.timer).toBeDefined();
  expect(plugins.kindOf('a')).toBe('one');
});

it.each([
  ['the same', permission('a'), 'one'],
  ['something else', permission('a', 't'), 'several'],
] as const)('reads a plugin that declares %s again', async (_, again, kind) => {
  const plugins = await new Plugins({
    catalog: published(permission('a'), again),
  }).read();
  expect(plugins.kindOf('a')).toBe(kind);
});

it('goes on after a reading that failed altogether', async () => {
  const plugins = await new Plugins({ catalog: published(permission('a')) }).read();
  plugins.isThrowing = true;
  await plugins.readAgain();
  expect(plugins.warnings()).toEqual([
    'Could not read what the plugins declare (Error)',
  ]);
  plugins.isThrowing = false;
  plugins.published = { catalog: published(permission('a'), permission('b')) };
  await plugins.readAgain();
  expect([plugins.kindOf('a'), plugins.kindOf('b')]).toEqual(['one', 'one']);
});

it('forgets a plugin that is not installed any more', async () => {
  const plugins = await new Plugins({
    catalog: published(permission('a')),
    b: unread,
  }).read();
  plugins.published = { b: published() };
  await plugins.readAgain();
  expect(plugins.kindOf('a')).toBe('none');
});

it('looks for an unknown name, at most every ten seconds', async () => {
  const plugins = await new Plugins({ catalog: published() }).read();
  plugins.published = { catalog: published(permission('new')) };
  const before = plugins.asked.length;
  for (let times = 0; times < 100; times += 1) plugins.declared.of(`new.${times}`);
  expect(plugins.kindOf('new')).toBe('none');
  await new Promise(setImmediate);
  expect(plugins.asked).toHaveLength(before);
  plugins.time += READ_AGAIN_AFTER;
  for (let times = 0; times < 100; times += 1) plugins.declared.of(`new.${times}`);
  await until(() => plugins.kindOf('new') === 'one', 'the new name is known');
  expect(plugins.asked).toHaveLength(before + 1);
});

it('goes on without a list of plugins, and tries again', async () => {
  const plugins = new Plugins({ catalog: published(permission('a')) });
  plugins.isListed = false;
  plugins.declared.open();
  await until(() => plugins.timer, 'it failed');
  expect(plugins.kindOf('a')).toBe('unread');
  plugins.isListed = true;
  plugins.timer!.callback();
  await until(() => plugins.kindOf('a') === 'one', 'the plugins are listed');
});

it('stops when it is closed', async () => {
  const plugins = await new Plugins({ late: unread }).read();
  await until(() => plugins.timer, 'it failed');
  plugins.declared.close();
  expect(plugins.timer).toBeUndefined();
  plugins.time += READ_AGAIN_AFTER;
  plugins.declared.of('a');
  await new Promise(setImmediate);
  expect(plugins.asked).toEqual(['late']);
});

describe('all that is known', () => {
  it('is nothing before it is opened', () => {
    const plugins = new Plugins({ catalog: published(permission('a')) });
    expect(plugins.declared.all()).toEqual({
      plugins: [],
      isListed: false,
      isSettled: false,
    });
  });

  it('is what each plugin declares, by its id', async () => {
    const plugins = await new Plugins({
      search: published(permission('s')),
      app: { kind: 'none', why: 'HTTP 404' },
      catalog: published(permission('a', 't'), permission('b')),
    }).read();
    expect(plugins.declared.all()).toEqual({
      plugins: [
        { pluginId: 'app', state: 'read', permissions: [] },
        {
          pluginId: 'catalog',
          state: 'read',
          permissions: [permission('a', 't'), permission('b')],
        },
        { pluginId: 'search', state: 'read', permissions: [permission('s')] },
      ],
      isListed: true,
      isSettled: true,
    });
  });

  it('says which plugins fail, and which have never answered', async () => {
    const plugins = await new Plugins({ catalog: published(permission('a')) }).read();
    plugins.published = { catalog: unread, late: unread };
    await plugins.readAgain();
    expect(plugins.declared.all()).toMatchObject({
      plugins: [
        { pluginId: 'catalog', state: 'failing', permissions: [permission('a')] },
        { pluginId: 'late', state: 'unread', permissions: [] },
      ],
      isSettled: false,
    });
  });

  it('says that a plugin which lets no service in is unread', async () => {
    const refused: PluginMetadata = { kind: 'refused', why: 'HTTP 403' };
    const plugins = await new Plugins({ closed: refused }).read();
    for (let reading = 2; reading < 4; reading++) await plugins.untilNext();
    // After the fourth, nothing more is expected of it.
    plugins.timer!.callback();
    await new Promise(setImmediate);
    expect(plugins.declared.all()).toMatchObject({
      plugins: [{ pluginId: 'closed', state: 'unread' }],
      isSettled: true,
    });
  });

  it('is said to have changed when it has, and only then', async () => {
    const plugins = await new Plugins({ catalog: published(permission('a')) }).read();
    expect(plugins.changes).toBe(1);
    await plugins.readAgain();
    expect(plugins.changes).toBe(1);
    plugins.published = { catalog: published(permission('a', 't')) };
    await plugins.readAgain();
    expect(plugins.changes).toBe(2);
    plugins.published = { ...plugins.published, search: published(permission('s')) };
    await plugins.readAgain();
    expect(plugins.changes).toBe(3);
    plugins.published = {};
    await plugins.readAgain();
    expect(plugins.changes).toBe(4);
  });
});
