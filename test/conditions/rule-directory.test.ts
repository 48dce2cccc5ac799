import { setImmediate } from 'node:timers/promises';
import {
  FRESH_FOR,
  MAX_WITHOUT_RULES,
  READ_AGAIN_AFTER,
  RuleDirectory,
} from '../../src/conditions/rule-directory';
import type { RuleMetadata } from '../../src/conditions/rule-metadata';
import { CapturedLogs } from '../support/captured-logs';
import { none, published, unread } from '../support/rule-directory';

/** A directory, a clock set by hand, and plugins that answer when the test says so. */
class World {
  now = 1_000_000;
  /** The readings begun, in order. */
  private readonly begun: string[] = [];
  private readonly logs = new CapturedLogs();
  private waiting: Array<(read: RuleMetadata) => void> = [];
  readonly directory = new RuleDirectory(
    pluginId => {
      this.begun.push(pluginId);
      return new Promise(resolve => this.waiting.push(resolve));
    },
    this.logs.logger(),
    () => this.now,
  );

  async asked(): Promise<string[]> {
    await setImmediate();
    return this.begun;
  }

  /** Ends the readings under way, and waits until the directory has taken note. */
  async answer(read: RuleMetadata): Promise<void> {
    await setImmediate();
    const ended = this.waiting;
    this.waiting = [];
    for (const resolve of ended) resolve(read);
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

  get logged(): string[] {
    return this.logs.lines.map(({ level, message }) => `${level} ${message}`);
  }
}

const rules = published({ name: 'A', resourceType: 'thing' });
const newer = published({ name: 'B', resourceType: 'thing' });
const refused: RuleMetadata = { kind: 'unread', why: 'HTTP 401' };

let world: World;

beforeEach(() => {
  world = new World();
});

it('has these limits', () => {
  const limits = [FRESH_FOR, READ_AGAIN_AFTER, MAX_WITHOUT_RULES];
  expect(limits).toEqual([600_000, 10_000, 200]);
});

describe('what is known of a plugin', () => {
  it('is nothing before the first reading, and asking for it starts none', async () => {
    expect(world.known()).toBeUndefined();
    expect(await world.asked()).toEqual([]);
  });

  it('is still nothing while the first reading is under way', async () => {
    void world.directory.read('catalog');
    expect(world.known()).toBeUndefined();
    await world.answer(rules);
    expect(world.known()).toBe(rules);
    expect(await world.asked()).toEqual(['catalog']);
  });

  it.each([
    ['rules', rules, FRESH_FOR],
    ['that there are none', none, READ_AGAIN_AFTER],
    ['that it could not be read', unread, READ_AGAIN_AFTER],
  ])(
    'is read again in the background once it is old: %s',
    async (_what, read, lifetime) => {
      await world.learn(read);
      world.now += lifetime - 1;
      expect(world.known()).toBe(read);
      expect(await world.asked()).toHaveLength(1);
      world.now += 1;
      expect(world.known()).toBe(read);
      expect(world.known()).toBe(read);
      expect(await world.asked()).toHaveLength(2);
      await world.answer(newer);
      expect(world.known()).toBe(newer);
      expect(await world.asked()).toHaveLength(2);
    },
  );

  it('is as fresh as the end of its reading, not the beginning', async () => {
    const reading = world.directory.read('catalog');
    world.now += FRESH_FOR;
    await world.answer(rules);
    await reading;
    world.now += FRESH_FOR - 1;
    world.known();
    expect(await world.asked()).toHaveLength(1);
  });
});

describe('the latest reading counts', () => {
  it.each([
    ['rules after rules', rules, newer, newer],
    ['none after rules: the plugin is gone', rules, none, none],
    ['rules after none', none, rules, rules],
    ['rules after a failure', unread, rules, rules],
    ['none after a failure', unread, none, none],
    ['a failure after none: it is unknown again', none, unread, unread],
    ['a failure after another', unread, refused, refused],
    ['but the last rules while they cannot be read', rules, unread, rules],
  ])('%s', async (_what, first, second, expected) => {
    await world.learn(first);
    expect(await world.learn(second)).toEqual(expected);
    expect(world.known()).toEqual(expected);
  });

  it('and the last rules through many failures, read again at every chance', async () => {
    await world.learn(rules);
    for (let failure = 1; failure <= 3; failure++) {
      await world.learn(unread);
      world.now += READ_AGAIN_AFTER - 1;
      expect(world.known()).toBe(rules);
      expect(await world.asked()).toHaveLength(2 * failure);
      world.now += 1;
      expect(world.known()).toBe(rules);
      expect(await world.asked()).toHaveLength(2 * failure + 1);
      await world.answer(unread);
    }
    await world.learn(newer);
    world.now += FRESH_FOR - 1;
    expect(world.known()).toBe(newer);
    expect(await world.asked()).toHaveLength(8);
  });
});

describe('callers that wait for the same plugin', () => {
  it('share one reading, whichever way they ask', async () => {
    const readings = [
      world.directory.readAgain('catalog')!,
      world.directory.read('catalog'),
      world.directory.readAgain('catalog')!,
    ];
    expect(await world.asked()).toEqual(['catalog']);
    await world.answer(rules);
    expect(await Promise.all(readings)).toEqual([rules, rules, rules]);
  });

  it.each([0, READ_AGAIN_AFTER])('share a new one, %i ms after the last', async ms => {
    await world.learn(none);
    world.now += ms;
    const reading = world.directory.read('catalog');
    world.known();
    const again = world.directory.readAgain('catalog');
    expect(await world.asked()).toHaveLength(2);
    await world.answer(rules);
    expect(await Promise.all([reading, again])).toEqual([rules, rules]);
  });
});

describe('a caller that misses a rule', () => {
  it.each([
    ['rules', rules],
    ['none', none],
    ['a failure', unread],
  ])('has it read again 10 seconds after %s, and not before', async (_what, read) => {
    await world.learn(read);
    world.now += READ_AGAIN_AFTER - 1;
    expect(world.directory.readAgain('catalog')).toBeUndefined();
    expect(await world.asked()).toHaveLength(1);
    world.now += 1;
    const again = world.directory.readAgain('catalog');
    expect(await world.asked()).toHaveLength(2);
    await world.answer(newer);
    expect(await again).toBe(newer);
    expect(world.directory.readAgain('catalog')).toBeUndefined();
  });
});

describe('the log', () => {
  const warning = (until: string): string =>
    `warn Could not read the permission rules of plugin "catalog" (HTTP 503). Until they can be read, its conditions ${until}`;
  const before = warning('are verified against the rules read before');
  const never = warning(
    'cannot be verified (verifyConditions: true lets them pass, required denies them)',
  );
  const over = 'info The permission rules of plugin "catalog" can be read again';

  it.each([
    ['nothing about rules', [rules, newer], []],
    ['nothing about a plugin without rules', [none, none, rules, none], []],
    ['once of failures from the start', [unread, unread], [never]],
    ['once of failures after rules', [rules, unread, unread, unread], [before]],
    ['once that it works again', [unread, rules, newer], [never, over]],
    ['that it works again though there are no rules', [unread, none], [never, over]],
    ['again of another failure', [unread, rules, unread], [never, over, before]],
    ['of a failure after rules that are gone', [rules, none, unread], [never]],
  ])('says %s', async (_what, readings, lines) => {
    for (const read of readings) await world.learn(read);
    expect(world.logged).toEqual(lines);
  });

  it('says it for each plugin, in one short line whatever its name', async () => {
    const names = ['a', `b\n${'x'.repeat(100_000)}`];
    for (const name of [...names, ...names]) await world.learn(unread, name);
    for (const name of names) await world.learn(rules, name);
    expect(world.logged).toHaveLength(4);
    for (const line of world.logged) expect(line).toMatch(/^.{1,400}$/);
  });
});

describe('policies may name any plugins:', () => {
  const names = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `plugin-${index}`);

  /** Two hundred without rules, the first of them longest ago. */
  async function crowd(read: RuleMetadata): Promise<void> {
    for (const name of names(MAX_WITHOUT_RULES)) await world.learn(read, name);
  }
  const forgotten = (): string[] =>
    names(MAX_WITHOUT_RULES).filter(name => !world.known(name));

  it('eight are read at once, the others after them', async () => {
    const readings = names(20).map(name => world.directory.read(name));
    expect(await world.asked()).toEqual(names(8));
    await world.answer(rules);
    expect(await world.asked()).toEqual(names(16));
    await world.answer(rules);
    await world.answer(rules);
    expect(await Promise.all(readings)).toEqual(names(20).map(() => rules));
  });

  it.each([
    ['that do not exist', none],
    ['that cannot be read', unread],
  ])('of those %s 200 are remembered, others not asked', async (_what, read) => {
    await crowd(read);
    world.now += READ_AGAIN_AFTER - 1;
    for (const ask of ['read', 'readAgain'] as const) {
      expect(await world.directory[ask]('another')).toEqual({
        kind: 'none',
        why: 'not asked: policies have named too many other plugins that publish no rules',
      });
    }
    expect(world.known('another')).toBeUndefined();
    expect(await world.asked()).toHaveLength(200);
    expect(forgotten()).toEqual([]);
  });

  it('the first is forgotten for another once it may be read again', async () => {
    await crowd(none);
    world.now += READ_AGAIN_AFTER;
    expect(await world.learn(none, 'another')).toBe(none);
    expect(world.known('another')).toBe(none);
    expect(forgotten()).toEqual(['plugin-0']);
  });

  it('those that are being read are not forgotten, even the first time', async () => {
    for (const name of names(200)) void world.directory.read(name);
    expect(await world.directory.read('another')).toMatchObject({ kind: 'none' });
    world = new World();
    await crowd(none);
    world.now += READ_AGAIN_AFTER;
    const reading = world.directory.read('plugin-0');
    void world.directory.read('another');
    expect(forgotten()).toEqual(['plugin-1']);
    await world.answer(rules);
    expect(await reading).toBe(rules);
    expect(world.known('plugin-0')).toBe(rules);
  });

  it('those with rules are not forgotten, and take no room', async () => {
    for (const name of names(300)) await world.learn(rules, `with-${name}`);
    for (const name of names(200)) await world.learn(none, name);
    world.now += READ_AGAIN_AFTER;
    for (const name of names(300)) await world.learn(none, `other-${name}`);
    expect(names(300).filter(name => !world.known(`with-${name}`))).toEqual([]);
  });
});
