/**
 * A comparison says what a router would decide whose table really has the other source, and
 * decisions are the same with it and without.
 */
import fc from 'fast-check';
import { failed, type Answer } from '../../src/answer';
import { ALGORITHMS } from '../../src/combining/algorithms';
import { OpaSource } from '../../src/sources/opa/source';
import type { DecisionRecord } from '../../src/trace/record';
import type { ApplicableVerdict } from '../../src/verdict';
import { ALLOW, DENY, NOT_APPLICABLE, permission, when } from '../fixtures/builders';
import { anyCriteria, EVERY_RESOURCE } from '../support/any-criteria';
import { USER } from '../support/in-process';
import { patiently } from '../support/patience';
import { startRouter, type TestRouter } from '../support/router';
import { compared, countsOf } from '../support/shadows';
import { meaning } from './reference/combining';

const NAMES = ['a', 'b', 'c', 'next'] as const;
type Answers = Readonly<Record<(typeof NAMES)[number], Answer>>;

/** By the path that OPA is asked at. */
let answers: Answers;
beforeAll(() => {
  jest.spyOn(OpaSource.prototype, 'prepare').mockImplementation(function (
    this: unknown,
  ) {
    const { path } = this as { readonly path: string };
    const name = path.split('/').at(-1) as keyof Answers;
    return { key: undefined, put: async () => answers[name] };
  });
});
afterAll(() => jest.restoreAllMocks());

const anyAnswer: fc.Arbitrary<Answer> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(ALLOW, DENY, NOT_APPLICABLE) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(anyCriteria, fc.constantFrom('catalog', 'catalog', 'scaffolder'))
      .map(([conditions, pluginId]) => when(conditions, pluginId)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      failed('unavailable', 'TIMEOUT', 'late'),
      failed('overloaded', 'HTTP_429', 'many'),
      failed('invalid', 'BAD_JSON', 'odd'),
    ),
  },
);

const anyCase = fc.record({
  answers: fc.record({ a: anyAnswer, b: anyAnswer, c: anyAnswer, next: anyAnswer }),
  listed: fc
    .shuffledSubarray(['b', 'c', 'next'])
    .chain(others => fc.nat(others.length).map(at => others.toSpliced(at, 0, 'a'))),
  combine: fc.constantFrom(...ALGORITHMS),
  otherwise: fc.constantFrom('allow', 'deny'),
});
type Case = typeof anyCase extends fc.Arbitrary<infer T> ? T : never;

const started = (
  sources: readonly string[],
  { combine, otherwise }: Case,
  shadow: object,
): Promise<TestRouter> =>
  startRouter(
    patiently({
      fallback: 'deny',
      verifyConditions: false,
      shadow,
      sources: Object.fromEntries(
        NAMES.map(name => [
          name,
          { type: 'opa', baseUrl: 'http://127.0.0.1:9', entrypoint: name },
        ]),
      ),
      routes: [{ prefix: 'tested', sources, combine, default: otherwise }],
    }),
  );

const QUERY = {
  permission: permission('tested', {
    action: 'read',
    resourceType: 'catalog-entity',
  }),
};

async function decided(router: TestRouter): Promise<Readonly<DecisionRecord>> {
  await router.decide(QUERY, USER);
  return router.record!;
}

const hasFailed = ({ sources }: Readonly<DecisionRecord>): boolean =>
  sources.some(({ failure }) => failure);

const resultOf = ({
  result,
  pluginId,
  conditions,
}: Pick<DecisionRecord, 'result' | 'pluginId' | 'conditions'>) => ({
  result,
  pluginId,
  conditions,
});

/** Which resources it allows. */
const meanings = ({ result, conditions }: Readonly<DecisionRecord>) =>
  EVERY_RESOURCE.map(resource =>
    meaning({ kind: result, conditions } as ApplicableVerdict, resource),
  );

const PASSING = new Set(['at', 'since', 'milliseconds', 'declared']);

/** Without times, and whether the plugins have been asked what they declare. */
const lasting = (record: Readonly<DecisionRecord>): string =>
  JSON.stringify(record, (key, value: unknown) =>
    PASSING.has(key) ? undefined : value,
  );

it('a comparison agrees with a router whose table has the other source', async () => {
  await fc.assert(
    fc.asyncProperty(anyCase, async given => {
      answers = given.answers;
      const replaced = given.listed.map(name => (name === 'a' ? 'next' : name));
      const [plain, shadowed, other] = await Promise.all([
        started(given.listed, given, {}),
        started(given.listed, given, { a: 'next' }),
        started([...new Set(replaced)], given, {}),
      ]);
      try {
        const live = await decided(shadowed);
        expect(lasting(live)).toEqual(lasting(await decided(plain)));
        const expected = await decided(other);
        await compared(shadowed.shadows, 1);
        const [counted] = countsOf(shadowed.shadows);
        const outcome = counted!.split(': 1 ')[1];
        if (hasFailed(live)) expect(outcome).toBe('live_failure');
        else if (hasFailed(expected)) expect(outcome).toBe('shadow_failure');
        else if (outcome === 'same') {
          expect(expected.result).toBe(live.result);
          expect(expected.pluginId).toBe(live.pluginId);
          expect(meanings(expected)).toEqual(meanings(live));
        } else {
          expect(outcome).toBe('differs');
          const [difference] = shadowed.shadows.status.differences;
          expect(resultOf(difference!.live)).toEqual(resultOf(live));
          expect(resultOf(difference!.shadow)).toEqual(resultOf(expected));
          expect(difference!.shadow.reason).toBe(expected.reason);
          expect(resultOf(expected)).not.toEqual(resultOf(live));
        }
      } finally {
        for (const router of [plain, shadowed, other]) router.close();
      }
    }),
    { numRuns: 200 },
  );
});
