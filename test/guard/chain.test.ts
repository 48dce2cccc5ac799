import {
  failed,
  nameOf,
  type Answer,
  type AnswerDetails,
  type Attempt,
} from '../../src/answer';
import { Chain, type ChainAnswer, type Link } from '../../src/guard/chain';
import { Deadline } from '../../src/lib/deadline';
import type { Askable } from '../../src/guard/guard';
import {
  allow,
  conditional,
  deny,
  notApplicable,
  type OnUnavailable,
} from '../../src/verdict';
import { permission, request, rule } from '../fixtures/builders';

const asked = request(permission('tested'));
const deadline = new Deadline(10_000);

const gone = failed('unavailable', 'ECONNREFUSED', 'gone');
const late = failed('unavailable', 'TIMEOUT', 'late');
const full = failed('overloaded', 'QUEUE_FULL', 'full');
const broken = failed('invalid', 'HTTP_500', 'broken');

/** A guard that keeps what it was asked with. */
class Scripted implements Askable {
  readonly calls: Array<Parameters<Askable['ask']>> = [];

  constructor(private readonly answer: Answer | Promise<Answer>) {}

  ask(...call: Parameters<Askable['ask']>): Answer | Promise<Answer> {
    this.calls.push(call);
    return this.answer;
  }
}

interface Scene {
  /** The source at each of its endpoints. */
  readonly endpoints: ReadonlyArray<Answer | Promise<Answer>>;
  readonly standbys?: ReadonlyArray<Answer | Promise<Answer>>;
  readonly onUnavailable?: OnUnavailable;
}

const verify = (verdict: Answer): Answer => verdict;

function chainOf({ endpoints, standbys = [], onUnavailable = 'fail-closed' }: Scene) {
  const links: Array<Link & { guard: Scripted }> = [
    ...endpoints.map((answer, index) => ({
      source: 'opa',
      endpoint: endpoints.length > 1 ? `http://opa-${index + 1}` : undefined,
      standby: false,
      guard: new Scripted(answer),
    })),
    ...standbys.map((answer, index) => ({
      source: `second-${index + 1}`,
      standby: true,
      guard: new Scripted(answer),
    })),
  ];
  const chain = new Chain(links as unknown as [Link, ...Link[]], {
    onUnavailable,
    checkConditions: verify as never,
  });
  return { chain, guards: links.map(({ guard }) => guard) };
}

const ask = async (scene: Scene): Promise<ChainAnswer> =>
  chainOf(scene).chain.ask(asked, deadline);

/** `<verdict>: <reason>`, with the code of the failure that it replaces. */
const said = ({ verdict }: ChainAnswer): string => {
  const failure = 'failure' in verdict ? verdict.failure : undefined;
  return `${verdict.kind}${failure ? ` [${failure.code}]` : ''}: ${verdict.reason}`;
};

/** Each attempt as `<who>: <verdict or code>`. */
const attempted = ({ attempts }: ChainAnswer): string[] | undefined =>
  attempts?.map(
    (each: Attempt) => `${nameOf(each)}: ${each.failure?.code ?? each.verdict}`,
  );

describe('a chain of one', () => {
  it('gives the verdict of its source, and at once where that answers at once', () => {
    const verdict = allow('because');
    const { chain } = chainOf({ endpoints: [verdict] });
    expect(chain.ask(asked, deadline)).toEqual({ verdict });
  });

  it('asks it once, with the request, the deadline and the check of conditions', async () => {
    const { chain, guards } = chainOf({ endpoints: [gone] });
    await chain.ask(asked, deadline);
    expect(guards[0]!.calls).toEqual([[asked, deadline, verify]]);
    expect(guards[0]!.calls[0]![1]).toBe(deadline);
  });

  it.each<[what: string, answer: Answer, closed: string, open: string]>([
    [
      'unavailable',
      gone,
      "DENY [ECONNREFUSED]: 'opa' is unavailable: gone [ECONNREFUSED]; fail-closed",
      "ALLOW [ECONNREFUSED]: 'opa' is unavailable: gone [ECONNREFUSED]; fail-open",
    ],
    [
      'overloaded',
      full,
      "DENY [QUEUE_FULL]: 'opa' is overloaded: full [QUEUE_FULL]",
      "DENY [QUEUE_FULL]: 'opa' is overloaded: full [QUEUE_FULL]",
    ],
    [
      'invalid',
      broken,
      "DENY [HTTP_500]: 'opa' is invalid: broken [HTTP_500]",
      "DENY [HTTP_500]: 'opa' is invalid: broken [HTTP_500]",
    ],
  ])(
    'that is %s is denied, or opened by an outage only',
    async (_what, answer, ...modes) => {
      for (const given of [answer, Promise.resolve(answer)]) {
        const endpoints = [given];
        expect(said(await ask({ endpoints }))).toBe(modes[0]);
        expect(said(await ask({ endpoints, onUnavailable: 'fail-open' }))).toBe(
          modes[1],
        );
      }
    },
  );

  it('tells of no attempts, and all that the answer says of itself', async () => {
    const exchange = { input: 'question', response: 'answer' };
    const details: Required<AnswerDetails> = {
      exchange,
      shared: true,
      decisionId: 'decision-1',
      batched: 3,
      again: 'late',
    };
    for (const said of [gone, allow('yes')]) {
      const answer = await ask({ endpoints: [{ ...said, ...details }] });
      expect(answer).toMatchObject(details);
      expect(answer.attempts).toBeUndefined();
      expect(answer.endpoint).toBeUndefined();
    }
  });
});

describe('an endpoint that answers', () => {
  it.each<[Answer]>([
    [allow('first')],
    [deny('first')],
    [notApplicable('first')],
    [
      conditional('first', {
        pluginId: 'catalog',
        resourceType: 'catalog-entity',
        conditions: rule('IS_ENTITY_OWNER'),
      }),
    ],
  ])('decides alone: %j', async answer => {
    const { chain, guards } = chainOf({
      endpoints: [answer, allow('second endpoint')],
      standbys: [allow('standby')],
      onUnavailable: 'fail-open',
    });
    expect(await chain.ask(asked, deadline)).toEqual({
      verdict: answer,
      endpoint: 'http://opa-1',
    });
    expect(guards.map(({ calls }) => calls.length)).toEqual([1, 0, 0]);
  });

  it('if only nonsense, is not away: nobody else is asked, and it denies', async () => {
    const { chain, guards } = chainOf({
      endpoints: [broken, allow('second endpoint')],
      standbys: [allow('standby')],
      onUnavailable: 'fail-open',
    });
    const answer = await chain.ask(asked, deadline);
    expect(said(answer)).toBe(
      "DENY [HTTP_500]: 'opa' at http://opa-1 is invalid: broken [HTTP_500]",
    );
    expect(answer.endpoint).toBe('http://opa-1');
    expect(guards.map(({ calls }) => calls.length)).toEqual([1, 0, 0]);
  });
});

describe.each([
  ['unavailable', gone],
  ['overloaded', full],
])('while the first endpoint is %s', (failureClass, away) => {
  it('the next decides, with its whole verdict', async () => {
    const verdict = conditional('the policy says so', {
      pluginId: 'catalog',
      resourceType: 'catalog-entity',
      conditions: rule('IS_ENTITY_OWNER'),
    });
    const answer = await ask({ endpoints: [away, verdict], standbys: [allow('no')] });
    expect(answer.verdict).toEqual({
      ...verdict,
      reason: `the policy says so; said by 'opa' at http://opa-2, as 'opa' at http://opa-1 is ${failureClass}`,
    });
    expect(attempted(answer)).toEqual([
      `'opa' at http://opa-1: ${away.failure.code}`,
      "'opa' at http://opa-2: CONDITIONAL",
    ]);
  });

  it('the next may abstain: it is the same source', async () => {
    const answer = await ask({
      endpoints: [away, notApplicable('no opinion')],
      standbys: [allow('no')],
    });
    expect(said(answer)).toMatch(/^NOT_APPLICABLE: no opinion; said by 'opa' at/);
  });

  it('and the next is too, the one after it is asked', async () => {
    const answer = await ask({ endpoints: [away, late, full, deny('third')] });
    expect(said(answer)).toMatch(/^DENY: third; said by 'opa' at http:\/\/opa-4/);
    expect(attempted(answer)).toHaveLength(4);
  });

  it('and the next gives nonsense, that denies, and nobody else is asked', async () => {
    const { chain, guards } = chainOf({
      endpoints: [away, broken, allow('third')],
      standbys: [allow('standby')],
      onUnavailable: 'fail-open',
    });
    const answer = await chain.ask(asked, deadline);
    expect(answer.verdict.kind).toBe('DENY');
    expect(guards.map(({ calls }) => calls.length)).toEqual([1, 1, 0, 0]);
  });

  it('everybody is asked with the same request, deadline and check', async () => {
    const { chain, guards } = chainOf({ endpoints: [away, away], standbys: [away] });
    await chain.ask(asked, deadline);
    for (const { calls } of guards) {
      expect(calls).toEqual([[asked, deadline, verify]]);
      expect(calls[0]![1]).toBe(deadline);
    }
  });

  it.each<[Answer]>([[allow('by standby')], [deny('by standby')]])(
    'the standby decides: %j',
    async verdict => {
      for (const onUnavailable of ['fail-open', 'fail-closed'] as const) {
        const answer = await ask({
          endpoints: [away],
          standbys: [verdict],
          onUnavailable,
        });
        expect(said(answer)).toBe(
          `${verdict.kind}: by standby; said by standby 'second-1', as 'opa' is ${failureClass}`,
        );
        expect(attempted(answer)).toEqual([
          `'opa': ${away.failure.code}`,
          `standby 'second-1': ${verdict.kind}`,
        ]);
      }
    },
  );

  it('the standby is asked only after all endpoints', async () => {
    const answer = await ask({
      endpoints: [away, late],
      standbys: [allow('by standby')],
    });
    expect(attempted(answer)).toEqual([
      `'opa' at http://opa-1: ${away.failure.code}`,
      "'opa' at http://opa-2: TIMEOUT",
      "standby 'second-1': ALLOW",
    ]);
  });

  it('and the standby is too, its own standby decides', async () => {
    const answer = await ask({
      endpoints: [away],
      standbys: [late, full, allow('the last')],
    });
    expect(said(answer)).toBe(
      `ALLOW: the last; said by standby 'second-3', as 'opa' is ${failureClass}`,
    );
  });

  it('and the standby abstains, the first failure remains and nobody else is asked', async () => {
    const { chain, guards } = chainOf({
      endpoints: [away],
      standbys: [notApplicable('no opinion'), allow('no')],
    });
    const answer = await chain.ask(asked, deadline);
    expect(answer.verdict.kind).toBe('DENY');
    expect(answer.verdict).toMatchObject({ failure: away.failure });
    expect(attempted(answer)).toEqual([
      `'opa': ${away.failure.code}`,
      "standby 'second-1': NOT_APPLICABLE",
    ]);
    expect(guards.map(({ calls }) => calls.length)).toEqual([1, 1, 0]);
  });

  it('and the standby gives nonsense, the first failure remains, even under fail-open', async () => {
    const { chain, guards } = chainOf({
      endpoints: [away],
      standbys: [broken, allow('no')],
      onUnavailable: 'fail-open',
    });
    const answer = await chain.ask(asked, deadline);
    expect(answer.verdict.kind).toBe('DENY');
    expect(answer.verdict).toMatchObject({ failure: away.failure });
    expect(guards.map(({ calls }) => calls.length)).toEqual([1, 1, 0]);
  });
});

describe('when nobody could answer', () => {
  const open = 'fail-open';

  it('fail-open opens what only outages have left undecided', async () => {
    expect(
      said(
        await ask({ endpoints: [gone, late], standbys: [gone], onUnavailable: open }),
      ),
    ).toBe(
      "ALLOW [ECONNREFUSED]: 'opa' at http://opa-1 is unavailable: gone [ECONNREFUSED]; fail-open",
    );
    expect(said(await ask({ endpoints: [late, gone], standbys: [gone] }))).toBe(
      "DENY [TIMEOUT]: 'opa' at http://opa-1 is unavailable: late [TIMEOUT]; fail-closed",
    );
  });

  it('fail-open opens an outage on which the standby has no opinion', async () => {
    const scene = { endpoints: [gone], standbys: [notApplicable('none')] };
    expect(said(await ask({ ...scene, onUnavailable: open }))).toBe(
      "ALLOW [ECONNREFUSED]: 'opa' is unavailable: gone [ECONNREFUSED]; fail-open",
    );
    expect(said(await ask(scene))).toBe(
      "DENY [ECONNREFUSED]: 'opa' is unavailable: gone [ECONNREFUSED]; fail-closed",
    );
  });

  it.each<[where: string, scene: Scene, expected: string]>([
    [
      'first',
      { endpoints: [full, gone], standbys: [late] },
      "DENY [QUEUE_FULL]: 'opa' at http://opa-1 is overloaded: full [QUEUE_FULL]",
    ],
    [
      'in the middle',
      { endpoints: [gone, full], standbys: [late] },
      "DENY [ECONNREFUSED]: 'opa' at http://opa-1 is unavailable: gone [ECONNREFUSED]; and then 'opa' at http://opa-2 is overloaded: full [QUEUE_FULL]",
    ],
    [
      'last',
      { endpoints: [gone, late], standbys: [broken] },
      "DENY [ECONNREFUSED]: 'opa' at http://opa-1 is unavailable: gone [ECONNREFUSED]; and then standby 'second-1' is invalid: broken [HTTP_500]",
    ],
    [
      'before a standby without an opinion',
      { endpoints: [gone, full], standbys: [notApplicable('none')] },
      "DENY [ECONNREFUSED]: 'opa' at http://opa-1 is unavailable: gone [ECONNREFUSED]; and then 'opa' at http://opa-2 is overloaded: full [QUEUE_FULL]",
    ],
  ])('one other failure closes it: %s', async (_where, scene, expected) => {
    expect(said(await ask({ ...scene, onUnavailable: open }))).toBe(expected);
  });
});

describe('the attempts', () => {
  it('keep for each what it took, what was exchanged and whether it was shared', async () => {
    const one = { ...gone, exchange: { input: 1 } };
    const two = { ...allow('yes'), exchange: { input: 2, response: 3 }, shared: true };
    const answer = await ask({ endpoints: [one, Promise.resolve(two)] });
    expect(answer.attempts).toEqual([
      {
        source: 'opa',
        endpoint: 'http://opa-1',
        standby: false,
        verdict: 'FAILED',
        failure: gone.failure,
        milliseconds: expect.any(Number) as number,
        exchange: { input: 1 },
      },
      {
        source: 'opa',
        endpoint: 'http://opa-2',
        standby: false,
        verdict: 'ALLOW',
        milliseconds: expect.any(Number) as number,
        exchange: { input: 2, response: 3 },
        shared: true,
      },
    ]);
    expect(answer.exchange).toBeUndefined();
  });

  it('count the time of each alone', async () => {
    let now = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
    const taking = (milliseconds: number, answer: Answer): Askable => ({
      ask: () => {
        now += milliseconds;
        return Promise.resolve(answer);
      },
    });
    const chain = new Chain(
      [
        { source: 'opa', standby: false, guard: taking(500, late) },
        { source: 'second', standby: true, guard: taking(3, allow('yes')) },
      ],
      { onUnavailable: 'fail-closed', checkConditions: verify as never },
    );
    const { attempts } = await chain.ask(asked, deadline);
    clock.mockRestore();
    expect(attempts!.map(({ milliseconds }) => milliseconds)).toEqual([500, 3]);
  });

  it.each([
    [{ source: 'opa', standby: false }, "'opa'"],
    [{ source: 'opa', endpoint: 'unix:/o', standby: false }, "'opa' at unix:/o"],
    [{ source: 'two', standby: true }, "standby 'two'"],
    [
      { source: 'two', endpoint: 'http://t', standby: true },
      "standby 'two' at http://t",
    ],
  ])('name who was asked: %j', (link, name) => {
    expect(nameOf(link)).toBe(name);
  });
});
