import { setImmediate } from 'node:timers/promises';
import {
  FRESH_FOR,
  READ_AGAIN_AFTER,
  RuleDirectory,
} from '../../../src/guard/conditions/rule-directory';
import type { RuleMetadata } from '../../../src/guard/conditions/rule-metadata';
import { CapturedLogs } from '../../support/captured-logs';
import { none, published, unread } from '../../support/rule-directory';

/** A directory, a clock set by hand, and plugins that answer when the test says so. */
class World {
  now = 1_000_000;
  /** The readings begun, in order. */
  readonly asked: string[] = [];
  private readonly logs = new CapturedLogs();
  private readonly waiting: Array<(read: RuleMetadata) => void> = [];
  readonly directory = new RuleDirectory(
    pluginId => {
      this.asked.push(pluginId);
      return new Promise(resolve => this.waiting.push(resolve));
    },
    this.logs.logger(),
    () => this.now,
  );

  /** Ends all readings under way, and waits until the directory has taken note. */
  async answer(read: RuleMetadata): Promise<void> {
    for (const resolve of this.waiting.splice(0)) resolve(read);
    await setImmediate();
  }

  /** Reads this now. */
  async learn(read: RuleMetadata, pluginId = 'catalog'): Promise<RuleMetadata> {
    const reading = this.directory.read(pluginId);
    await this.answer(read);
    return reading;
  }

  known(pluginId = 'catalog'): RuleMetadata | undefined {
    return this.directory.known(pluginId);
  }

  get told(): string[] {
    return this.logs.lines.map(({ level, message }) => `${level} ${message}`);
  }
}

const rules = published({ name: 'A', resourceType: 'thing' });
const newer = published({ name: 'B', resourceType: 'thing' });
const unreadFor = (why: string): RuleMetadata => ({ kind: 'unread', why });

it('has the times that the docs name', () => {
  expect([FRESH_FOR, READ_AGAIN_AFTER]).toEqual([600_000, 10_000]);
});

describe('what is known of a plugin', () => {
  it('is nothing before the first reading, and looking begins none', () => {
    const world = new World();
    expect(world.known()).toBeUndefined();
    expect(world.asked).toEqual([]);
  });

  it('is still nothing while the first reading is under way', async () => {
    const world = new World();
    void world.directory.read('catalog');
    expect(world.known()).toBeUndefined();
    await world.answer(rules);
    expect(world.known()).toBe(rules);
    expect(world.asked).toEqual(['catalog']);
  });

  it.each([
    ['its rules', rules],
    ['that there are none', none],
    ['that it could not be read', unread],
  ])('is %s, once that was read', async (_what, read) => {
    const world = new World();
    expect(await world.learn(read)).toBe(read);
    expect(world.known()).toBe(read);
  });

  it('is known of that plugin alone', async () => {
    const world = new World();
    await world.learn(rules, 'catalog');
    expect(world.known('scaffolder')).toBeUndefined();
    await world.learn(none, 'scaffolder');
    expect([world.known('catalog'), world.known('scaffolder')]).toEqual([rules, none]);
  });

  it.each([
    ['rules', rules, FRESH_FOR],
    ['that there are none', none, READ_AGAIN_AFTER],
    ['that it could not be read', unread, READ_AGAIN_AFTER],
  ])(
    'is read anew when it is old, in the background: %s',
    async (_what, read, lifetime) => {
      const world = new World();
      await world.learn(read);
      world.now += lifetime - 1;
      expect(world.known()).toBe(read);
      expect(world.asked).toHaveLength(1);
      world.now += 1;
      expect(world.known()).toBe(read);
      expect(world.known()).toBe(read);
      expect(world.asked).toHaveLength(2);
      await world.answer(newer);
      expect(world.known()).toBe(newer);
      expect(world.asked).toHaveLength(2);
    },
  );

  it('is as fresh as the end of its reading, not the beginning', async () => {
    const world = new World();
    const reading = world.directory.read('catalog');
    world.now += FRESH_FOR;
    await world.answer(rules);
    await reading;
    world.now += FRESH_FOR - 1;
    world.known();
    expect(world.asked).toHaveLength(1);
  });
});

describe('what a new reading gives counts', () => {
  it.each([
    ['rules after rules', rules, newer, newer],
    ['none after rules: the plugin is gone', rules, none, none],
    ['rules after none', none, rules, rules],
    ['rules after a failure', unread, rules, rules],
    ['none after a failure', unread, none, none],
    ['a failure after none: nobody knows any more', none, unread, unread],
    ['a failure after another', unread, unreadFor('HTTP 401'), unreadFor('HTTP 401')],
    ['but the last rules while they cannot be read', rules, unread, rules],
  ])('%s', async (_what, first, second, expected) => {
    const world = new World();
    await world.learn(first);
    expect(await world.learn(second)).toEqual(expected);
    expect(world.known()).toEqual(expected);
  });

  it('and the last rules through many failures, read again at every chance', async () => {
    const world = new World();
    await world.learn(rules);
    for (let failure = 1; failure <= 3; failure++) {
      await world.learn(unread);
      world.now += READ_AGAIN_AFTER - 1;
      expect(world.known()).toBe(rules);
      expect(world.asked).toHaveLength(2 * failure);
      world.now += 1;
      expect(world.known()).toBe(rules);
      expect(world.asked).toHaveLength(2 * failure + 1);
      await world.answer(unread);
    }
    await world.learn(newer);
    world.now += FRESH_FOR - 1;
    const before = world.asked.length;
    expect(world.known()).toBe(newer);
    expect(world.asked).toHaveLength(before);
  });
});

describe('all who wait for a plugin', () => {
  it('share one reading, however they ask', async () => {
    const world = new World();
    const readings = [
      world.directory.read('catalog'),
      world.directory.read('catalog'),
      world.directory.readAgain('catalog')!,
    ];
    expect(world.asked).toEqual(['catalog']);
    await world.answer(rules);
    expect(await Promise.all(readings)).toEqual([rules, rules, rules]);
  });

  it('share it with the background', async () => {
    const world = new World();
    await world.learn(none);
    world.now += READ_AGAIN_AFTER;
    world.known();
    const again = world.directory.readAgain('catalog');
    expect(world.asked).toHaveLength(2);
    await world.answer(rules);
    expect(await again).toBe(rules);
  });

  it('do not wait for another plugin', () => {
    const world = new World();
    void world.directory.read('catalog');
    void world.directory.read('scaffolder');
    expect(world.asked).toEqual(['catalog', 'scaffolder']);
  });

  it('get a new one once the last has ended', async () => {
    const world = new World();
    await world.learn(rules);
    const reading = world.directory.read('catalog');
    expect(world.asked).toHaveLength(2);
    await world.answer(newer);
    expect(await reading).toBe(newer);
  });
});

describe('who misses something', () => {
  it('has a plugin read that was never read', async () => {
    const world = new World();
    const again = world.directory.readAgain('catalog');
    await world.answer(rules);
    expect(await again).toBe(rules);
  });

  it.each([
    ['rules', rules],
    ['none', none],
    ['a failure', unread],
  ])('has it read again 10 seconds after %s, and not before', async (_what, read) => {
    const world = new World();
    await world.learn(read);
    world.now += READ_AGAIN_AFTER - 1;
    expect(world.directory.readAgain('catalog')).toBeUndefined();
    expect(world.asked).toHaveLength(1);
    world.now += 1;
    const again = world.directory.readAgain('catalog');
    expect(world.asked).toHaveLength(2);
    await world.answer(newer);
    expect(await again).toBe(newer);
    expect(world.directory.readAgain('catalog')).toBeUndefined();
  });
});

describe('the log', () => {
  const warning = (until: string): string =>
    `warn The permission rules of plugin 'catalog' could not be read (HTTP 503): until they can, its conditions are ${until}`;
  const info = "info The permission rules of plugin 'catalog' could be read again";

  it.each([
    ['nothing of rules', [rules, newer], []],
    ['nothing of a plugin that has none', [none, none, rules, none], []],
    ['once of failures from the start', [unread, unread], [warning('not verified')]],
    [
      'once of failures after rules',
      [rules, unread, unread, unread],
      [warning('verified by the last ones')],
    ],
    ['once that it is over', [unread, rules, newer], [warning('not verified'), info]],
    ['that it is over by an end', [unread, none], [warning('not verified'), info]],
    [
      'anew of a new failure',
      [unread, rules, unread, unread, rules],
      [warning('not verified'), info, warning('verified by the last ones'), info],
    ],
    ['of rules that are gone', [rules, none, unread], [warning('not verified')]],
  ])('tells %s', async (_what, readings, told) => {
    const world = new World();
    for (const read of readings) await world.learn(read);
    expect(world.told).toEqual(told);
  });

  it('tells it of each plugin', async () => {
    const world = new World();
    for (const plugin of ['a', 'b', 'a', 'b']) await world.learn(unread, plugin);
    expect(world.told).toHaveLength(2);
  });
});

describe('of plugins', () => {
  const names = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `plugin-${index}`);

  it('200 are remembered, then the first is forgotten', async () => {
    const world = new World();
    for (const name of names(200)) await world.learn(rules, name);
    expect(names(200).filter(name => !world.known(name))).toEqual([]);
    await world.learn(rules, 'another');
    expect([...names(200), 'another'].filter(name => !world.known(name))).toEqual([
      'plugin-0',
    ]);
  });

  it('none is forgotten for one that is remembered, or only looked for', async () => {
    const world = new World();
    for (const name of names(200)) await world.learn(rules, name);
    for (const name of names(200)) await world.learn(newer, name);
    for (const name of names(1000).slice(200)) world.known(name);
    expect(names(200).filter(name => world.known(name) !== newer)).toEqual([]);
  });

  it('one that is forgotten while it is read answers all the same', async () => {
    const world = new World();
    const reading = world.directory.read('catalog');
    for (const name of names(200)) void world.directory.read(name);
    await world.answer(rules);
    expect(await reading).toBe(rules);
    expect(world.known()).toBeUndefined();
  });
});
