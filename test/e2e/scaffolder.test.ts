/** What several sources say, combined, on the real scaffolder: tasks, templates, actions. */
import type { RunningBackend } from '../support/backend';
import { startOpa, type OpaServer } from '../support/opa-server';
import { startScaffolderBackend } from '../support/scaffolder';
import { ScaffolderClient } from '../support/scaffolder-client';
import {
  ALLOW,
  allowedIf,
  answer,
  createdBy,
  DENY,
  hasId,
  hasProperty,
  hasTag,
  scaffolderRouter,
} from '../support/scaffolder-policies';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const VALUES = { message: 'hello', approval: 'given' };

let opa: OpaServer;
let backend: RunningBackend;
let nolan: ScaffolderClient;
let olivia: ScaffolderClient;
let petra: ScaffolderClient;
/** One task of each person, by the person's initial. */
let tasks: Record<string, string>;

describeWithOpa('the scaffolder', () => {
  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['test/fixtures/policies/scaffolder.rego'],
    });
    backend = await startScaffolderBackend(scaffolderRouter(opa, 'deny-overrides'));
    const signIn = async (name: string): Promise<ScaffolderClient> =>
      new ScaffolderClient(backend.url, await backend.signIn(name));
    nolan = await signIn('nolan');
    olivia = await signIn('olivia');
    petra = await signIn('petra');
    await petra.templateIsIngested();
    tasks = {
      n: (await nolan.run(VALUES)).id,
      o: (await olivia.run(VALUES)).id,
      p: (await petra.run(VALUES)).id,
    };
  });

  afterAll(async () => {
    await backend.stop();
    await opa.stop();
  });

  describe('under deny-overrides', () => {
    it.each<TaskCase>([
      {
        by: 'ownership alone',
        seen: { nolan: 'n', olivia: 'o', petra: 'nop' },
      },
      {
        by: 'ownership and a condition that contradict each other for nolan',
        first: allowedIf(createdBy('olivia', 'petra')),
        seen: { nolan: '', olivia: 'o', petra: 'op' },
      },
      {
        by: 'ownership and a negated condition',
        first: allowedIf({ not: createdBy('nolan') }),
        seen: { nolan: '', olivia: 'o', petra: 'op' },
      },
      {
        by: 'ownership and nested conditions',
        first: allowedIf({
          anyOf: [
            createdBy('nolan'),
            { allOf: [createdBy('olivia', 'petra'), { not: createdBy('olivia') }] },
          ],
        }),
        seen: { nolan: 'n', olivia: '', petra: 'np' },
      },
    ])('shows tasks by $by', showsTasks);

    it('gets one condition that combines those of ownership and OPA', async () => {
      await answer(opa, { 'scaffolder.task.read': allowedIf(createdBy('nolan')) });
      await olivia.tasks();
      const isRead = (name?: string): boolean => name === 'scaffolder.task.read';
      const trace = backend.traces.findLast(each => isRead(each.permission?.name));
      expect(trace).toMatchObject({
        result: 'CONDITIONAL',
        sources: [
          { source: 'ownership', verdict: 'CONDITIONAL' },
          { source: 'first', verdict: 'CONDITIONAL' },
        ],
      });
    });

    it('shows no task if one source denies', async () => {
      await answer(opa, { 'scaffolder.task.read': DENY });
      const own = `/v2/tasks/${tasks.p}`;
      for (const path of ['/v2/tasks', own, `${own}/events`, `${own}/eventstream`]) {
        expect(await petra.status(path)).toBe(403);
      }
      expect(await petra.status(`${own}/retry`, {})).toBe(403);
    });

    it('cancels only a task that may be both cancelled and read', async () => {
      const cancelling = allowedIf(createdBy('olivia', 'nolan'));
      await answer(opa, { 'scaffolder.task.cancel': cancelling });
      expect(await nolan.cancel(tasks.o!)).toBe(403);
      expect(await petra.cancel(tasks.p!)).toBe(403);
      expect(await petra.cancel(tasks.o!)).toBe(200);
      expect(await olivia.cancel(tasks.o!)).toBe(200);
      await answer(opa, { 'scaffolder.task.read': DENY });
      expect(await olivia.cancel(tasks.o!)).toBe(403);
    });

    it('creates no task if creating is denied', async () => {
      await answer(opa, { 'scaffolder.task.create': DENY });
      expect((await petra.create(VALUES)).status).toBe(403);
    });

    const [red, blue] = [hasTag('red'), hasTag('blue')];
    it.each<TemplateCase>([
      { by: 'a tag', first: red, shown: ['red', 'purple'] },
      { by: 'two tags', first: red, second: blue, shown: ['purple'] },
      {
        by: 'a tag without another',
        first: red,
        second: { not: blue },
        shown: ['red'],
      },
      { by: 'a contradiction', first: red, second: { not: red }, shown: [] },
    ])('shows parameters, and runs steps, by $by', showsTemplate);

    it('does not require the parameters that it hides', async () => {
      await answer(opa, {});
      expect((await olivia.create({ message: 'hello' })).status).toBe(400);
      const shown = allowedIf({ not: red });
      await answer(opa, { 'scaffolder.template.parameter.read': shown });
      expect((await olivia.run({ message: 'hello' })).status).toBe('completed');
    });

    const logOrWait = { anyOf: [hasId('debug:log'), hasId('debug:wait')] };
    const notBye = { not: hasProperty('message', 'bye') };
    it.each<ActionCase>([
      {
        by: 'ids and an input',
        first: logOrWait,
        second: notBye,
        finished: ['untagged', 'red', 'blue', 'purple'],
      },
      {
        by: 'ids and a forbidden input',
        first: logOrWait,
        second: notBye,
        message: 'bye',
        finished: [],
        refused: 'debug:log',
      },
      {
        by: 'an id, until an action has another',
        first: hasId('debug:log'),
        finished: ['untagged', 'red'],
        refused: 'debug:wait',
      },
      {
        by: 'ids, until an action has a forbidden input',
        first: logOrWait,
        second: { not: hasProperty('listWorkspace', true) },
        finished: ['untagged'],
        refused: 'debug:log',
      },
      {
        by: 'a contradiction',
        first: logOrWait,
        second: { not: logOrWait },
        finished: [],
        refused: 'debug:log',
      },
    ])('runs actions by $by', runsActions);
  });

  describe('under allow-overrides', () => {
    beforeAll(async () => {
      const since = backend.logs.lines.length;
      await backend.writeConfig(scaffolderRouter(opa, 'allow-overrides'));
      await backend.logs.waitFor('The changed config is in use', since);
    });

    it.each<TaskCase>([
      {
        by: 'ownership or a condition',
        first: allowedIf(createdBy('petra')),
        seen: { nolan: 'np', olivia: 'op', petra: 'nop' },
      },
      {
        by: 'ownership or a negated condition, one of which nolan always meets',
        first: allowedIf({ not: createdBy('nolan') }),
        seen: { nolan: 'nop', olivia: 'op', petra: 'nop' },
      },
      {
        by: 'ownership while the other source denies',
        first: DENY,
        seen: { nolan: 'n', olivia: 'o', petra: 'nop' },
      },
    ])('shows tasks by $by', showsTasks);

    it('does not cancel what may only be read', async () => {
      await answer(opa, { 'scaffolder.task.read': ALLOW });
      expect(await nolan.status(`/v2/tasks/${tasks.p}`)).toBe(200);
      expect(await nolan.cancel(tasks.p!)).toBe(403);
    });

    const [red, blue] = [hasTag('red'), hasTag('blue')];
    const all = ['untagged', 'red', 'blue', 'purple'];
    it.each<TemplateCase>([
      { by: 'either tag', first: red, second: blue, shown: ['red', 'blue', 'purple'] },
      { by: 'a tautology', first: red, second: { not: red }, shown: all },
    ])('shows parameters, and runs steps, by $by', showsTemplate);

    const log = hasId('debug:log');
    it.each<ActionCase>([
      {
        by: 'an id or a number',
        first: log,
        second: hasProperty('milliseconds', 1),
        finished: all,
      },
      {
        by: 'an id, until an action has another number',
        first: log,
        second: hasProperty('milliseconds', 2),
        finished: ['untagged', 'red'],
        refused: 'debug:wait',
      },
    ])('runs actions by $by', runsActions);
  });
});

interface TaskCase {
  readonly by: string;
  /** OPA's verdict besides ownership; without it OPA abstains. */
  readonly first?: object;
  /** Whose tasks each person may read, by initials. */
  readonly seen: { nolan: string; olivia: string; petra: string };
}

async function showsTasks({ first, seen }: TaskCase): Promise<void> {
  await answer(opa, first ? { 'scaffolder.task.read': first } : {});
  const readable = async (who: ScaffolderClient, initials: string): Promise<void> => {
    const expected = [...initials].map(initial => tasks[initial]);
    expect(await who.readable(Object.values(tasks))).toEqual({
      list: expected,
      single: expected,
      authorize: expected,
    });
  };
  await readable(nolan, seen.nolan);
  await readable(olivia, seen.olivia);
  await readable(petra, seen.petra);
}

interface TemplateCase {
  readonly by: string;
  readonly first: object;
  readonly second?: object;
  readonly shown: readonly string[];
}

async function showsTemplate({ first, second, shown }: TemplateCase): Promise<void> {
  const said = (conditions: object | undefined) =>
    conditions && {
      'scaffolder.template.parameter.read': allowedIf(conditions),
      'scaffolder.template.step.read': allowedIf(conditions),
    };
  await answer(opa, said(first)!, said(second));
  expect(await olivia.pages()).toEqual(shown);
  expect(await olivia.run(VALUES)).toMatchObject({ status: 'completed', steps: shown });
}

interface ActionCase {
  readonly by: string;
  readonly first: object;
  readonly second?: object;
  readonly message?: string;
  /** The steps that completed. */
  readonly finished: readonly string[];
  /** The action at which the task failed. */
  readonly refused?: string;
}

async function runsActions(test: ActionCase): Promise<void> {
  const said = (conditions: object | undefined) =>
    conditions && { 'scaffolder.action.execute': allowedIf(conditions) };
  await answer(opa, said(test.first)!, said(test.second));
  const { message = VALUES.message, refused } = test;
  expect(await olivia.run({ ...VALUES, message })).toMatchObject({
    status: refused ? 'failed' : 'completed',
    finished: test.finished,
    error: refused && `Unauthorized action: ${refused}. The action is not allowed.`,
  });
}
