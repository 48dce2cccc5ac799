/** A source asked beside the decisions: it takes nothing from them, and tells the breaker nothing. */
import { setImmediate as turn } from 'node:timers/promises';
import { failed, type Answer, type Failed } from '../../src/answer';
import { RemoteGuard, type RemoteGuardOptions } from '../../src/guard/remote-guard';
import { Deadline } from '../../src/lib/deadline';
import type { RemoteSource } from '../../src/sources/source';
import { allow } from '../../src/verdict';
import { request, permission } from '../fixtures/builders';
import { pass, resumeClock, stopClock } from '../support/clock';
import { ManualSource, sourceOf } from '../support/fake-source';
import { OPTIONS, withBreaker } from '../support/guard';

const gone = failed('unavailable', 'ECONNREFUSED', 'gone');
const FRAGILE = { ...OPTIONS, ...withBreaker({ volumeThreshold: 2 }) };

beforeEach(() => stopClock());
afterEach(async () => {
  for (const guard of guards.splice(0)) await guard.close();
  expect(jest.getTimerCount()).toBe(0);
  resumeClock();
});

const guards: RemoteGuard[] = [];

function guardOf(
  live: RemoteSource,
  aside: RemoteSource,
  {
    needsUser = false,
    options = FRAGILE,
  }: { needsUser?: boolean; options?: RemoteGuardOptions } = {},
): RemoteGuard {
  const observer = {
    breakerChanged: () => {},
    allCallsHang: () => {},
    batchChanged: () => {},
  };
  const guard = new RemoteGuard(live, options, observer, {
    aside: { needsUser, build: () => aside },
  });
  guards.push(guard);
  return guard;
}

const TESTED = request(permission('tested'));
const ask = async (guard: RemoteGuard, by: 'live' | 'aside'): Promise<Answer> =>
  (by === 'live' ? guard : guard.aside).ask(TESTED, new Deadline(10_000), v => v);

const answering = (answer: Answer): RemoteSource => sourceOf(async () => answer);

it('asks a source of its own while every slot of the decisions is taken', async () => {
  const live = new ManualSource();
  const guard = guardOf(live, answering(allow('aside')));
  const questions = [1, 2, 3].map(() => ask(guard, 'live'));
  await turn();
  expect(guard.status().remote).toMatchObject({ inFlight: 2, queued: 1 });
  expect(await ask(guard, 'aside')).toMatchObject({ reason: 'aside' });
  expect(guard.status()).toMatchObject({
    asked: 0,
    remote: { inFlight: 2, queued: 1 },
  });
  for (const question of live.questions) question.answer(allow('live'));
  await turn();
  live.questions[2]!.answer(allow('live'));
  await Promise.all(questions);
  expect(guard.status().asked).toBe(3);
});

it('does not open the breaker, whatever it gets', async () => {
  const guard = guardOf(answering(allow('live')), answering(gone));
  for (let count = 0; count < 20; count++) {
    expect(await ask(guard, 'aside')).toMatchObject({
      failure: { code: 'ECONNREFUSED' },
    });
  }
  expect(guard.status()).toMatchObject({
    asked: 0,
    unavailableSince: undefined,
    remote: { breaker: { state: 'closed' } },
  });
});

it('asks nothing while the breaker is open, and says what a decision gets', async () => {
  let reachable: Answer = gone;
  const aside = new ManualSource();
  const guard = guardOf(
    sourceOf(async () => reachable),
    aside,
  );
  for (let count = 0; count < 2; count++) await ask(guard, 'live');
  expect(await ask(guard, 'aside')).toMatchObject({
    failure: { code: 'BREAKER_OPEN', cause: { code: 'ECONNREFUSED' } },
  });
  expect(aside.questions).toEqual([]);

  // Then the next decision would be put, so this is put too; the breaker learns nothing of it.
  await pass(OPTIONS.circuitBreaker.resetTimeout);
  reachable = allow('live');
  const asked = ask(guard, 'aside');
  await turn();
  aside.questions[0]!.answer(allow('aside'));
  expect(await asked).toMatchObject({ reason: 'aside' });
  expect(guard.status().remote!.breaker.state).toBe('half-open');
  await ask(guard, 'live');
  expect(guard.status().remote!.breaker.state).toBe('closed');
});

it('says since when the decisions find it unavailable, and nothing of its own', async () => {
  let reachable: Answer = gone;
  const guard = guardOf(
    sourceOf(async () => reachable),
    answering(gone),
    { options: OPTIONS },
  );
  const failure = async (by: 'live' | 'aside') =>
    ((await ask(guard, by)) as Failed).failure;
  expect(await failure('aside')).not.toHaveProperty('since');
  const { since } = await failure('live');
  expect(since).toBeDefined();
  await pass(5000);
  expect(await failure('aside')).toMatchObject({ since });
  reachable = allow('live');
  await ask(guard, 'live');
  expect(await failure('aside')).not.toHaveProperty('since');
});

it('closes with its guard', async () => {
  const aside = new ManualSource();
  const guard = guardOf(answering(allow('live')), aside);
  void ask(guard, 'aside');
  await turn();
  aside.questions[0]!.answer(allow('aside'));
  await guard.close();
  expect(aside.closed).toBe(true);
  expect(await ask(guard, 'aside')).toMatchObject({ failure: { code: 'CLOSED' } });
});

it('a source that needs the user in person is not asked for somebody else', async () => {
  const aside = new ManualSource();
  const guard = guardOf(answering(allow('live')), aside, { needsUser: true });
  expect(await ask(guard, 'aside')).toMatchObject({ failure: { code: 'NEEDS_USER' } });
  expect(aside.questions).toEqual([]);
});
