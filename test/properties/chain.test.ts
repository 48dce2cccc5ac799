import fc from 'fast-check';
import { failed, type Answer } from '../../src/answer';
import { Chain, type ChainAnswer, type Link } from '../../src/guard/chain';
import { Deadline } from '../../src/lib/deadline';
import type { FailureClass, OnUnavailable } from '../../src/verdict';
import {
  ALLOW,
  DENY,
  NOT_APPLICABLE,
  permission,
  request,
  rule,
  when,
} from '../fixtures/builders';
import { decideChain, type ReferenceLink, type Said } from './reference/chain';

const RUNS = { numRuns: 2000 };

const VERDICTS: Readonly<Partial<Record<Said, Answer>>> = {
  ALLOW,
  DENY,
  NOT_APPLICABLE,
  CONDITIONAL: when(rule('IS_ENTITY_OWNER')),
};

/** The answer with this verdict or failure; a failure's code names the link it is from. */
const answerOf = (said: Said, position: number): Answer =>
  VERDICTS[said] ?? failed(said as FailureClass, `CODE_${position}`, `why ${position}`);

interface Scene extends ReferenceLink {
  /** Local sources answer at once, others later. */
  readonly later: boolean;
}

const anySaid = fc.constantFrom<Said[]>(
  'ALLOW',
  'DENY',
  'CONDITIONAL',
  'NOT_APPLICABLE',
  // Repeated, because otherwise few chains would continue after the first link.
  ...(['unavailable', 'unavailable', 'unavailable', 'unavailable'] as const),
  ...(['overloaded', 'overloaded', 'invalid'] as const),
);
const anyLink = (standby: boolean) =>
  fc.record({ standby: fc.constant(standby), said: anySaid, later: fc.boolean() });

/** A source with one or more endpoints, and its standbys, each with one or more endpoints. */
const anyChain: fc.Arbitrary<Scene[]> = fc
  .tuple(
    fc.array(anyLink(false), { minLength: 1, maxLength: 4 }),
    fc.array(anyLink(true), { maxLength: 4 }),
  )
  .map(([endpoints, standbys]) => [...endpoints, ...standbys]);
const anyMode = fc.constantFrom<OnUnavailable[]>('fail-open', 'fail-closed');

const asked = request(permission('tested'));

/** Asks a chain of these links; `calls` are their positions in the order they were asked. */
async function ask(scene: readonly Scene[], onUnavailable: OnUnavailable) {
  const calls: number[] = [];
  const links = scene.map(({ standby, said, later }, position): Link => {
    const answer = answerOf(said, position);
    return {
      source: `link-${position}`,
      standby,
      guard: {
        ask: () => {
          calls.push(position);
          return later ? Promise.resolve(answer) : answer;
        },
      },
    };
  });
  const chain = new Chain(links as unknown as [Link, ...Link[]], {
    onUnavailable,
    checkConditions: verdict => verdict,
  });
  const answer = await chain.ask(asked, new Deadline(10_000));
  return { answer, calls };
}

/** Translates a chain's answer into the terms of the reference. */
function outcomeOf({ verdict, attempts }: ChainAnswer, calls: readonly number[]) {
  const failure = 'failure' in verdict ? verdict.failure : undefined;
  return {
    verdict: verdict.kind,
    by: failure ? undefined : calls.at(-1),
    asked: attempts?.length ?? 1,
  };
}

describe('a chain', () => {
  it('decides as the reference does', async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, anyMode, async (scene, mode) => {
        const { answer, calls } = await ask(scene, mode);
        expect(outcomeOf(answer, calls)).toEqual(decideChain(scene, mode));
      }),
      RUNS,
    );
  });

  it('returns ALLOW only from a link, or fail-open after nothing but outages', async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, anyMode, async (scene, mode) => {
        const { answer, calls } = await ask(scene, mode);
        if (answer.verdict.kind !== 'ALLOW') return;
        const said = calls.map(position => scene[position]!.said);
        const failures = said.filter(each => each === each.toLowerCase());
        const opened =
          mode === 'fail-open' &&
          failures.length > 0 &&
          failures.every(each => each === 'unavailable');
        expect(said.includes('ALLOW') || opened).toBe(true);
      }),
      RUNS,
    );
  });

  it('asks each link at most once, in order, and stops at the first that is not unavailable or overloaded', async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, anyMode, async (scene, mode) => {
        const { calls } = await ask(scene, mode);
        expect(calls).toEqual(calls.map((_, index) => index));
        const before = calls.slice(0, -1).map(position => scene[position]!.said);
        expect(before.filter(said => !/^(unavailable|overloaded)$/.test(said))).toEqual(
          [],
        );
      }),
      RUNS,
    );
  });

  it('does the same whether its links answer immediately or later', async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, anyMode, async (scene, mode) => {
        const [one, other] = await Promise.all(
          [false, true].map(later =>
            ask(
              scene.map(link => ({ ...link, later })),
              mode,
            ),
          ),
        );
        expect(other!.calls).toEqual(one!.calls);
        expect(other!.answer.verdict).toEqual(one!.answer.verdict);
      }),
      RUNS,
    );
  });

  it('returns the first failure if no link decided, and otherwise none', async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, anyMode, async (scene, mode) => {
        const { answer } = await ask(scene, mode);
        const { by } = decideChain(scene, mode);
        const failure =
          'failure' in answer.verdict ? answer.verdict.failure : undefined;
        expect(failure?.code).toBe(by === undefined ? 'CODE_0' : undefined);
      }),
      RUNS,
    );
  });

  it('reports the verdict of every asked link if more than one was asked', async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, anyMode, async (scene, mode) => {
        const { answer, calls } = await ask(scene, mode);
        const reported = answer.attempts?.map(
          ({ source, standby, verdict, failure }) => ({
            source,
            standby,
            said: failure?.class ?? verdict,
          }),
        );
        const expected = calls.map(position => ({
          source: `link-${position}`,
          standby: scene[position]!.standby,
          said: scene[position]!.said,
        }));
        expect(reported).toEqual(calls.length > 1 ? expected : undefined);
      }),
      RUNS,
    );
  });

  it('names the standby or endpoint that decided in its reason', async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, anyMode, async (scene, mode) => {
        const { answer, calls } = await ask(scene, mode);
        const { by } = decideChain(scene, mode);
        if (by === undefined || by === 0) return;
        expect(answer.verdict.reason).toContain(
          `${scene[by]!.standby ? 'standby ' : ''}'link-${calls.at(-1)}'`,
        );
      }),
      RUNS,
    );
  });
});
