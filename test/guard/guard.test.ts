import { failed, type Answer } from '../../src/answer';
import { conditionCheck, type ConditionCheck } from '../../src/conditions/check';
import { Deadline } from '../../src/lib/deadline';
import { Chain, type ChainAnswer } from '../../src/guard/chain';
import { Turns } from '../../src/lib/turns';
import { checked, LocalGuard, type Askable } from '../../src/guard/guard';
import { type LocalSource } from '../../src/sources/source';
import type { Conditional, Verdict, OnUnavailable } from '../../src/verdict';
import {
  ALLOW,
  DENY,
  NOT_APPLICABLE,
  permission,
  request,
  rule,
  when,
} from '../fixtures/builders';
import { directoryOf, published } from '../support/rule-directory';

const read = permission('catalog.entity.read', { resourceType: 'catalog-entity' });
const asked = request(read);
const deadline = new Deadline(60_000);
const MODES: OnUnavailable[] = ['fail-closed', 'fail-open'];
const exchange = { input: 'in', response: 'out' };
const conditional = when(rule('A', { params: {} })) as Conditional;
const passes: ConditionCheck = verdict => verdict;

class SecretError extends TypeError {
  override readonly name = 'SecretError';
}

function raise(error: unknown): never {
  throw error;
}

const outcome = ({ verdict }: ChainAnswer): string => {
  const failure = 'failure' in verdict ? verdict.failure : undefined;
  return `${verdict.kind} ${failure?.class} ${failure?.code}`;
};

/** What comes of asking a guard, under both failure modes. */
const askGuard = (guard: Askable, checkConditions: ConditionCheck) =>
  MODES.map(onUnavailable =>
    new Chain([{ source: 'tested', standby: false, guard }], {
      onUnavailable,
      checkConditions,
    }).ask(asked, deadline),
  );

/** What comes of the answer. */
const guarded = (answer: Answer, checkConditions: ConditionCheck) =>
  askGuard({ ask: (...question) => checked(answer, ...question) }, checkConditions);

describe('conditions that are found wrong are denied, whatever the failure mode:', () => {
  const invalid = failed('invalid', 'UNKNOWN_RULE', 'no such rule');
  const secret = new SecretError('secret');

  it.each<[string, ConditionCheck, string]>([
    ['at once', () => invalid, 'UNKNOWN_RULE'],
    ['later', async () => invalid, 'UNKNOWN_RULE'],
    ['by a check that throws', () => raise(secret), 'THREW'],
    ['by a check that rejects', async () => raise(secret), 'THREW'],
    ['by a check that throws text', () => raise('secret'), 'THREW'],
    ['by a check that rejects with nothing', async () => raise(undefined), 'THREW'],
    ['by a check that rejects with null', async () => raise(null), 'THREW'],
  ])('%s', async (_what, check, code) => {
    for (const given of guarded({ ...conditional, exchange }, check)) {
      const answer = await given;
      expect(outcome(answer)).toBe(`DENY invalid ${code}`);
      expect(answer.exchange).toBe(exchange);
      expect(JSON.stringify(answer)).not.toContain('secret');
    }
  });

  it('with the reason of the check', async () => {
    const [answer] = guarded(conditional, async () => invalid);
    expect((await answer)?.verdict).toEqual({
      kind: 'DENY',
      reason: "'tested' is invalid: no such rule [UNKNOWN_RULE]",
      failure: { class: 'invalid', code: 'UNKNOWN_RULE', message: 'no such rule' },
    });
    const [broken] = guarded(conditional, () => raise(new SecretError('secret')));
    expect(broken).toMatchObject({
      verdict: { reason: "'tested' is invalid: the source threw SecretError" },
    });
  });

  it('be it for params that JSON cannot hold, such as those that hold themselves', () => {
    const params: Record<string, unknown> = {};
    params.self = params;
    const options = { verifyConditions: true, maxConditionBytes: 1000 };
    const check = conditionCheck(options, directoryOf(published()));
    const cyclic = when(rule('A', { params } as object)) as Conditional;
    for (const answer of guarded(cyclic, check)) {
      expect(outcome(answer as ChainAnswer)).toBe('DENY invalid THREW');
    }
  });
});

describe('conditions that are found right pass,', () => {
  const found = { ...conditional, conditions: rule('CHECKED') };

  it('at once where the check needs not wait, else later, as the check gives them', async () => {
    for (const answer of guarded({ ...conditional, exchange }, () => found)) {
      expect(answer).toEqual({ verdict: { ...found, exchange }, exchange });
    }
    for (const answer of guarded({ ...conditional, exchange }, async () => found)) {
      expect(answer).toBeInstanceOf(Promise);
      expect(await answer).toEqual({ verdict: { ...found, exchange }, exchange });
    }
  });

  it('by a check that was given the verdict, the permission and the deadline', () => {
    const check = jest.fn(passes);
    expect(guarded(conditional, check)).toHaveLength(2);
    expect(check.mock.calls).toEqual(MODES.map(() => [conditional, read, deadline]));
    expect(check.mock.calls[0]![2]).toBe(deadline);
  });
});

describe('what holds no conditions is not checked:', () => {
  const check = (): never => raise(new Error('checked'));

  it.each<[string, Answer, Verdict]>([
    ['ALLOW', ALLOW, ALLOW],
    ['DENY', DENY, DENY],
    ['NOT_APPLICABLE', NOT_APPLICABLE, NOT_APPLICABLE],
  ])('%s', (_kind, answer, verdict) => {
    for (const given of guarded({ ...answer, exchange }, check)) {
      expect(given).toMatchObject({ verdict, exchange });
    }
  });

  it.each<[Parameters<typeof failed>[0], string[]]>([
    ['invalid', ['DENY', 'DENY']],
    ['overloaded', ['DENY', 'DENY']],
    ['unavailable', ['DENY', 'ALLOW']],
  ])(
    'a failure of class %s, of which the mode opens outages only',
    (kind, verdicts) => {
      const answers = guarded(failed(kind, 'CODE', 'why'), check) as ChainAnswer[];
      expect(answers.map(outcome)).toEqual(
        verdicts.map(each => `${each} ${kind} CODE`),
      );
      expect(answers.map(({ verdict }) => verdict.reason)).toEqual(
        MODES.map(
          mode =>
            `'tested' is ${kind}: why [CODE]${kind === 'unavailable' ? `; ${mode}` : ''}`,
        ),
      );
    },
  );
});

describe('a source in this process', () => {
  const guardOf = (source: Partial<LocalSource>) =>
    new LocalGuard({ ask: () => raise(new Error()), close: async () => {}, ...source });
  const ask = (guard: LocalGuard, checkConditions = passes) =>
    askGuard(guard, checkConditions);

  it('is asked the request, and answers at once', () => {
    const answer = jest.fn(() => ({ ...conditional, exchange }));
    for (const given of ask(guardOf({ ask: answer }))) {
      expect(given).toMatchObject({ verdict: conditional, exchange });
    }
    expect(answer.mock.calls).toEqual([[asked], [asked]]);
  });

  it.each([
    ['an error', new SecretError('secret'), 'SecretError'],
    ['text', 'secret', 'string'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['what has no name', { message: 'secret' }, 'object'],
  ])('that throws %s is denied, and the error is named only', (_what, error, name) => {
    const check = jest.fn(passes);
    for (const answer of ask(guardOf({ ask: () => raise(error) }), check)) {
      expect(outcome(answer as ChainAnswer)).toBe('DENY invalid THREW');
      expect(answer).toMatchObject({
        verdict: { reason: `'tested' is invalid: the source threw ${name}` },
      });
    }
    expect(check).not.toHaveBeenCalled();
  });

  it('has its conditions checked, be it later', async () => {
    const guard = guardOf({ ask: () => conditional });
    const later = (): Promise<never> => Promise.reject(new SecretError('secret'));
    for (const answer of ask(guard, later)) {
      expect(answer).toBeInstanceOf(Promise);
      expect(outcome(await answer)).toBe('DENY invalid THREW');
    }
  });

  it('is not asked if the deadline passed in the wait for a turn', async () => {
    const source = { ask: jest.fn(() => ALLOW), close: async () => {} };
    const outcomeAfter = async (hasWaited: boolean, deadline: number) => {
      const turns = new Turns();
      turns.run = (_group, work) => work(hasWaited);
      const guard = new LocalGuard(source, turns);
      return await guard.ask(asked, new Deadline(deadline), passes);
    };
    expect(await outcomeAfter(true, 0)).toMatchObject({
      failure: { class: 'overloaded', code: 'NO_TURN' },
    });
    expect(source.ask).not.toHaveBeenCalled();
    expect(await outcomeAfter(true, 600_000)).toMatchObject({ kind: 'ALLOW' });
    // A standby decides even if waiting for its source has used up the time.
    expect(await outcomeAfter(false, 0)).toMatchObject({ kind: 'ALLOW' });
  });

  it('is ended with its guard', async () => {
    const close = jest.fn(async () => {});
    await guardOf({ close }).close();
    expect(close).toHaveBeenCalledTimes(1);
  });
});
