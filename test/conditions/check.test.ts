import { setImmediate } from 'node:timers/promises';
import { conditionCheck, type VerifyConditions } from '../../src/conditions/check';
import { builtConditions } from '../../src/conditions/parse';
import { READ_AGAIN_AFTER, RuleDirectory } from '../../src/conditions/rule-directory';
import type { RuleMetadata } from '../../src/conditions/rule-metadata';
import { bytesOf } from '../../src/conditions/size';
import { Deadline } from '../../src/lib/deadline';
import type { Conditional, Conditions } from '../../src/verdict';
import { all, any, not, permission, rule, when } from '../fixtures/builders';
import { CapturedLogs } from '../support/captured-logs';
import { none, published, unread } from '../support/rule-directory';

/** `A` has no parameters, `B` has a text; the schema of `BROKEN` is unusable. */
const rules = published(
  { name: 'A', resourceType: 'catalog-entity', paramsSchema: { properties: {} } },
  {
    name: 'B',
    resourceType: 'catalog-entity',
    paramsSchema: { required: ['b'], properties: { b: { type: 'string' } } },
  },
  { name: 'BROKEN', resourceType: 'catalog-entity', paramsSchema: { $ref: '#/x' } },
  { name: 'FAR', resourceType: 'location' },
);
const A = rule('A', { params: {} });
const B = rule('B', { params: { b: 'x' } });
const far = { resourceType: 'location' };
const BROKEN = rule('BROKEN', { params: { any: 1 } });

/** A check whose plugins answer when the test says so. */
class World {
  now = 0;
  private readonly begun: string[] = [];
  private waiting: Array<(read: RuleMetadata) => void> = [];
  private readonly directory = new RuleDirectory(
    pluginId => {
      this.begun.push(pluginId);
      return new Promise(resolve => this.waiting.push(resolve));
    },
    new CapturedLogs().logger(),
    () => this.now,
  );

  constructor(
    private readonly verifyConditions: VerifyConditions = true,
    private readonly maxConditionBytes = 10_000,
  ) {}

  /** The plugins that were asked, in order. */
  async asked(): Promise<string[]> {
    await setImmediate();
    return this.begun;
  }

  /** Ends the readings under way. */
  async answer(metadata: RuleMetadata): Promise<void> {
    await setImmediate();
    const ended = this.waiting;
    this.waiting = [];
    for (const resolve of ended) resolve(metadata);
    await setImmediate();
  }

  /** Has it read, and lets enough time pass for another reading. */
  async know(metadata: RuleMetadata): Promise<this> {
    void this.directory.read('catalog');
    await this.answer(metadata);
    this.now += READ_AGAIN_AFTER;
    this.begun.length = 0;
    return this;
  }

  check(conditions: Conditions, milliseconds = 60_000, more: object = {}) {
    const parsed = builtConditions(conditions);
    const verdict = { ...when(parsed), ...more } as Conditional;
    const { verifyConditions, maxConditionBytes, directory } = this;
    const options = { verifyConditions, maxConditionBytes };
    const check = conditionCheck(options, directory);
    const { resourceType } = verdict;
    const asked = permission('thing.read', { resourceType });
    const checked = check(verdict, asked, new Deadline(milliseconds));
    return checked instanceof Promise ? checked.then(outcome) : outcome(checked);
  }
}

const outcome = (checked: Awaited<ReturnType<ReturnType<typeof conditionCheck>>>) => {
  if (checked.kind === 'CONDITIONAL') return 'passes';
  const { class: failureClass, code, message } = checked.failure;
  return `${failureClass} ${code}: ${message}`;
};

const COULD_NOT = 'invalid UNVERIFIED: conditions could not be verified: ';
const LATE = `${COULD_NOT}the rules of plugin "catalog" could not be read (no answer within the deadline)`;
const NO_ANSWER = `${COULD_NOT}the rules of plugin "catalog" could not be read (HTTP 503)`;
const NO_PLUGIN =
  'invalid UNKNOWN_PLUGIN: plugin "catalog" publishes no permission rules (HTTP 404)';
const noRule = (name: string): string =>
  `invalid UNKNOWN_RULE: plugin "catalog" has no rule "${name}" for resource type "catalog-entity"`;
const NO_B = `invalid BAD_PARAMS: rule "B": "params" must have required property 'b'`;
const NO_TEXT = 'invalid BAD_PARAMS: rule "B": "params.b" must be string';

describe('conditions are checked against the published rules:', () => {
  const wrong = rule('B', { params: { b: 1 } });

  it.each([
    ['a rule that is published', A, 'passes'],
    ['a rule with params', B, 'passes'],
    ['many rules', all(A, any(B, not(A)), not(all(B, A))), 'passes'],
    ['a rule without the params it needs', rule('B'), NO_B],
    ['a rule without params that needs none', rule('A'), 'passes'],
    ['params of another type', wrong, NO_TEXT],
    ['a rule that is not published', rule('C'), noRule('C')],
    ['a rule in another letter case', rule('a'), noRule('a')],
    ['a rule of another resource type', rule('FAR'), noRule('FAR')],
    ['a rule named like a member of objects', rule('toString'), noRule('toString')],
    ['a wrong one in an allOf', all(A, wrong), NO_TEXT],
    ['a wrong one in an anyOf', any(A, wrong), NO_TEXT],
    ['a wrong one in a negation', not(wrong), NO_TEXT],
    ['a wrong one deep down', all(A, any(B, not(all(A, not(wrong))))), NO_TEXT],
    ['the first of two', all(any(A, rule('C')), wrong), noRule('C')],
  ])('%s', async (_what, conditions, expected) => {
    const world = await new World().know(rules);
    expect(await world.check(conditions, 0)).toBe(expected);
  });

  it.each<[VerifyConditions, Conditions, string]>([
    [true, BROKEN, 'passes'],
    ['required', BROKEN, `${COULD_NOT}the schema of rule "BROKEN" cannot be used`],
    [true, all(BROKEN, wrong), NO_TEXT],
    ['required', all(A, wrong, BROKEN), NO_TEXT],
  ])('an unusable schema, under %j: %j', async (mode, conditions, expected) => {
    const world = await new World(mode).know(rules);
    expect(await world.check(conditions, 0)).toBe(expected);
  });

  it('and are not changed', async () => {
    const verdict = when(builtConditions(all(rule('A'), B))) as Conditional;
    const directory = new RuleDirectory(async () => rules, new CapturedLogs().logger());
    await directory.read('catalog');
    for (const verifyConditions of [true, 'required', false] as const) {
      const options = { verifyConditions, maxConditionBytes: 1000 };
      const check = conditionCheck(options, directory);
      const checked = check(verdict, permission('r', verdict), new Deadline(0));
      expect(checked).toBe(verdict);
      expect(checked).toMatchObject({ conditions: all(A, B) });
    }
  });
});

describe('the checks run in order:', () => {
  const overgrown = all(...Array<Conditions>(501).fill(A));
  const path = { pluginId: '../catalog' };

  it.each<[string, Conditions, object, number, string]>([
    ['tree before fit', overgrown, far, 1, 'CONDITIONS_TOO_LARGE: conditions of more'],
    ['fit before bytes', A, far, 9, 'BAD_CONDITIONS: rule "A" for resource type'],
    ['fit before rules', A, far, 9999, 'BAD_CONDITIONS: rule "A" for resource type'],
    ['fit before asking', A, path, 9999, 'BAD_CONDITIONS: conditions of "../c'],
    ['bytes before rules', rule('C'), {}, 9, 'CONDITIONS_TOO_LARGE: conditions of 5'],
  ])(
    '%s, and then no plugin is asked',
    async (_what, conditions, more, bytes, expected) => {
      const world = new World('required', bytes);
      expect(world.check(conditions, 0, more)).toMatch(`invalid ${expected}`);
      expect(await world.asked()).toEqual([]);
    },
  );

  it('the size includes {} for missing params', () => {
    const bytes = bytesOf(all(A, A));
    const given = all(rule('A'), rule('A'));
    expect(new World(false, bytes).check(given)).toBe('passes');
    expect(new World(false, bytes - 1).check(given)).toBe(
      `invalid CONDITIONS_TOO_LARGE: conditions of ${bytes} bytes, more than maxConditionBytes (${bytes - 1})`,
    );
  });
});

describe('a check does not wait', () => {
  it('for a plugin that is known', async () => {
    const world = await new World('required').know(rules);
    expect(world.check(all(A, B))).toBe('passes');
    expect(world.check(rule('FAR', far), 0, far)).toBe('passes');
    expect(await world.asked()).toEqual([]);
  });

  it('for a plugin whose rules are read again because they are old', async () => {
    const world = await new World('required').know(rules);
    world.now += 3_600_000;
    expect(world.check(A)).toBe('passes');
    expect(await world.asked()).toEqual(['catalog']);
  });

  it.each<[VerifyConditions, string]>([
    [true, 'passes'],
    ['required', NO_ANSWER],
  ])('for a plugin that could not be read: under %j', async (mode, expected) => {
    const world = await new World(mode).know(unread);
    expect(world.check(rule('C'))).toBe(expected);
    // It is read in the background, for later checks.
    expect(await world.asked()).toEqual(['catalog']);
    await world.answer(rules);
    expect(world.check(A)).toBe('passes');
  });

  it.each([
    ['a rule', rules, rule('C'), noRule('C')],
    ['the plugin', none, A, NO_PLUGIN],
    ['the reading', unread, A, NO_ANSWER],
  ])(
    'for %s that was missing a moment ago',
    async (_what, known, conditions, expected) => {
      const world = await new World('required').know(known);
      world.now -= 1;
      expect(world.check(conditions)).toBe(expected);
      expect(await world.asked()).toEqual([]);
    },
  );

  it('or ask a plugin with false', async () => {
    const world = new World(false);
    expect(world.check(rule('C', { params: { any: 1 } }))).toBe('passes');
    expect(world.check(A, 0, { pluginId: 'nowhere' })).toBe('passes');
    expect(await world.asked()).toEqual([]);
    const knowing = await new World(false).know(none);
    expect(knowing.check(rule('C'))).toBe('passes');
  });
});

describe('a check waits for a plugin that is not known:', () => {
  it.each<[string, VerifyConditions, RuleMetadata, Conditions, string]>([
    ['its rules allow them', 'required', rules, B, 'passes'],
    ['its rules do not allow them', true, rules, rule('C'), noRule('C')],
    ['it does not exist', true, none, A, NO_PLUGIN],
    ['it cannot be read', true, unread, A, 'passes'],
    ['it cannot be read, but must be', 'required', unread, A, NO_ANSWER],
  ])('%s', async (_what, mode, metadata, conditions, expected) => {
    const world = new World(mode);
    const checks = [world.check(conditions), world.check(conditions)];
    for (const check of checks) expect(check).toBeInstanceOf(Promise);
    await world.answer(metadata);
    for (const check of checks) expect(await check).toBe(expected);
    expect(await world.asked()).toEqual(['catalog']);
  });

  it('it is the plugin of the verdict', async () => {
    const world = new World();
    const check = world.check(A, 60_000, { pluginId: 'scaffolder' });
    expect(await world.asked()).toEqual(['scaffolder']);
    await world.answer(none);
    expect(await check).toContain('plugin "scaffolder" publishes no permission rules');
  });

  it.each<[VerifyConditions, string]>([
    [true, 'passes'],
    ['required', LATE],
  ])('but not past the deadline: under %j', async (mode, expected) => {
    const world = new World(mode);
    expect(await world.check(rule('C'), 0)).toBe(expected);
    // The reading continues, for later checks.
    await world.answer(rules);
    expect(world.check(rule('C'))).toBe(noRule('C'));
    expect(await world.asked()).toEqual(['catalog']);
  });
});

describe('if something is missing, the plugin is read again, once:', () => {
  const newer = published({ name: 'C', resourceType: 'catalog-entity' });

  it.each<[string, RuleMetadata, RuleMetadata, string]>([
    ['the rule exists now', rules, newer, 'passes'],
    ['the rule is still missing', rules, rules, noRule('C')],
    ['the plugin is gone', rules, none, NO_PLUGIN],
    ['nothing new can be read', rules, unread, noRule('C')],
    ['the plugin exists now', none, newer, 'passes'],
    ['the plugin is still missing', none, none, NO_PLUGIN],
    ['the plugin is unknown again', none, unread, NO_ANSWER],
  ])('%s', async (_what, known, read, expected) => {
    const world = await new World('required').know(known);
    const checks = [world.check(rule('C')), world.check(rule('C'))];
    for (const check of checks) expect(check).toBeInstanceOf(Promise);
    await world.answer(read);
    for (const check of checks) expect(await check).toBe(expected);
    expect(await world.asked()).toEqual(['catalog']);
  });

  it.each<[string, VerifyConditions, RuleMetadata, Conditions, string]>([
    ['of a rule', true, rules, rule('C'), noRule('C')],
    ['of a parameter', 'required', rules, rule('B', { params: { b: 1 } }), NO_TEXT],
    ['of the plugin', true, none, A, NO_PLUGIN],
  ])(
    'past the deadline, what was known %s is used',
    async (_what, mode, known, conditions, expected) => {
      const world = await new World(mode).know(known);
      expect(await world.check(conditions, 0)).toBe(expected);
      expect(await world.asked()).toEqual(['catalog']);
    },
  );
});
