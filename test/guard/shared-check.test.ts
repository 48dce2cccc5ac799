/** The conditions of an answer are checked once, however many callers share it. */
import { setImmediate as turn } from 'node:timers/promises';
import { conditionCheck } from '../../src/conditions/check';
import { PublishedRules } from '../../src/conditions/published-rules';
import { RuleDirectory } from '../../src/conditions/rule-directory';
import type { RuleMetadata } from '../../src/conditions/rule-metadata';
import { RemoteGuard } from '../../src/guard/remote-guard';
import type { Answer } from '../../src/answer';
import { Deadline } from '../../src/lib/deadline';
import type { Conditional } from '../../src/verdict';
import { permission, request, rule, when } from '../fixtures/builders';
import { CapturedLogs } from '../support/captured-logs';
import { pass, resumeClock, stopClock } from '../support/clock';
import { ManualSource } from '../support/fake-source';
import { OPTIONS } from '../support/guard';
import { published } from '../support/rule-directory';

const CALLERS = 300;

beforeEach(() => stopClock());
afterEach(() => {
  jest.restoreAllMocks();
  resumeClock();
});

/** As many callers as share one answer; the rules of its plugin are read when the test says so. */
async function shareOneAnswer(known: boolean) {
  const source = new ManualSource(() => 'the same');
  const guard = new RemoteGuard(source, OPTIONS, {
    breakerChanged: () => {},
    allCallsHang: () => {},
    batchChanged: () => {},
  });
  let publish: (metadata: RuleMetadata) => void = () => {};
  const directory = new RuleDirectory(
    () => new Promise(resolve => (publish = resolve)),
    new CapturedLogs().logger(),
  );
  const rules = published({ name: 'A', resourceType: 'catalog-entity' });
  const publishNow = async (): Promise<void> => {
    await turn();
    publish(rules);
    await turn();
  };
  if (known) {
    void directory.read('catalog');
    await publishNow();
  }
  const check = conditionCheck(
    { verifyConditions: 'required', maxConditionBytes: 10_000 },
    directory,
  );
  const looked = jest.spyOn(PublishedRules.prototype, 'get');
  const written = jest.spyOn(JSON, 'stringify');
  const ask = async (milliseconds: number): Promise<Answer> =>
    guard.ask(
      // Each caller has a permission of its own, equal to the others.
      request(permission('tested', { resourceType: 'catalog-entity' })),
      new Deadline(milliseconds),
      check,
    );
  const answer = async (conditions: Conditional['conditions']): Promise<void> => {
    await turn();
    source.questions[0]!.answer(when(conditions));
    await turn();
  };
  return { ask, answer, publishNow, looked, written, close: () => guard.close() };
}

const outcomes = async (asked: ReadonlyArray<Promise<Answer>>): Promise<Set<string>> =>
  new Set(
    (await Promise.all(asked)).map(said =>
      said.kind === 'FAILED' ? said.failure.code : said.kind,
    ),
  );

const callers = <T>(ask: () => T): T[] => Array.from({ length: CALLERS }, ask);

it.each([
  ['that can be applied', 'A', 'CONDITIONAL'],
  ['that cannot be applied', 'MISSING', 'UNKNOWN_RULE'],
])('%s', async (_, name, expected) => {
  const shared = await shareOneAnswer(true);
  const asked = callers(() => shared.ask(10_000));
  await shared.answer(rule(name, { params: { long: 'x'.repeat(1000) } }));
  expect(await outcomes(asked)).toEqual(new Set([expected]));
  expect(shared.looked).toHaveBeenCalledTimes(1);
  const measured = shared.written.mock.calls.filter(([value]) => isRule(value));
  expect(measured).toHaveLength(1);
  await shared.close();
});

const isRule = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'rule' in value;

it('that are too large', async () => {
  const shared = await shareOneAnswer(true);
  const asked = callers(() => shared.ask(10_000));
  await shared.answer(rule('A', { params: { long: 'x'.repeat(10_000) } }));
  expect(await outcomes(asked)).toEqual(new Set(['CONDITIONS_TOO_LARGE']));
  expect(shared.looked).not.toHaveBeenCalled();
  await shared.close();
});

it('whose rules must be read first; a caller whose deadline passes is late alone', async () => {
  const shared = await shareOneAnswer(false);
  const asked = callers(() => shared.ask(10_000));
  const hasty = shared.ask(OPTIONS.timeout * 0.75);
  await shared.answer(rule('A'));
  await pass(OPTIONS.timeout * 0.75);
  await turn();
  expect(await outcomes([hasty])).toEqual(new Set(['UNVERIFIED']));
  expect(shared.looked).not.toHaveBeenCalled();
  await shared.publishNow();
  expect(await outcomes(asked)).toEqual(new Set(['CONDITIONAL']));
  expect(shared.looked).toHaveBeenCalledTimes(1);
  await shared.close();
});
