/** A source asked to compare it: it takes nothing from the decisions, and tells them nothing. */
import { setImmediate as turn } from 'node:timers/promises';
import { failed, type Answer } from '../../src/answer';
import { LocalGuard, type Askable } from '../../src/guard/guard';
import { RemoteGuard } from '../../src/guard/remote-guard';
import { SHADOW_SLOTS } from '../../src/guard/shadow-guard';
import { Deadline } from '../../src/lib/deadline';
import type { RemoteSource } from '../../src/sources/source';
import { allow } from '../../src/verdict';
import { request, permission } from '../fixtures/builders';
import { resumeClock, stopClock } from '../support/clock';
import { ManualSource, sourceOf } from '../support/fake-source';
import { OPTIONS, withBreaker } from '../support/guard';

const gone = failed('unavailable', 'ECONNREFUSED', 'gone');

beforeEach(() => stopClock());
afterEach(async () => {
  for (const guard of guards.splice(0)) await guard.close();
  expect(jest.getTimerCount()).toBe(0);
  resumeClock();
});

const guards: RemoteGuard[] = [];
let states: string[];
beforeEach(() => (states = []));

function guardOf(
  live: RemoteSource,
  build: (concurrency: number) => RemoteSource,
  needsUser = false,
): RemoteGuard {
  const observer = (who: string) => ({
    breakerChanged: (state: string) => states.push(`${who} ${state}`),
    allCallsHang: () => {},
    batchChanged: () => {},
  });
  const guard = new RemoteGuard(
    live,
    { ...OPTIONS, ...withBreaker({ volumeThreshold: 2 }) },
    observer('live'),
    { aside: { needsUser, build }, shadowObserver: observer('shadow') },
  );
  guards.push(guard);
  return guard;
}

const TESTED = request(permission('tested'));
const ask = async (guard: Askable): Promise<Answer> =>
  guard.ask(TESTED, new Deadline(10_000), verdict => verdict);
const answering = (answer: Answer): RemoteSource => sourceOf(async () => answer);

it('asks a source of its own while every slot of the decisions is taken', async () => {
  const live = new ManualSource();
  const build = jest.fn(() => answering(allow('shadow')));
  const guard = guardOf(live, build);
  const questions = [1, 2, 3].map(() => ask(guard));
  await turn();
  expect(build).not.toHaveBeenCalled();
  expect(await ask(guard.shadow)).toMatchObject({ reason: 'shadow' });
  expect(await ask(guard.shadow)).toMatchObject({ reason: 'shadow' });
  expect(build.mock.calls).toEqual([[SHADOW_SLOTS]]);
  expect(guard.status()).toMatchObject({
    asked: 0,
    remote: { inFlight: 2, queued: 1 },
  });
  for (const question of live.questions) question.answer(allow('live'));
  await turn();
  live.questions[2]!.answer(allow('live'));
  await Promise.all(questions);
});

it('has a circuit breaker of its own', async () => {
  const guard = guardOf(answering(allow('live')), () => answering(gone));
  for (let count = 0; count < 3; count++) await ask(guard.shadow);
  expect(states).toEqual(['shadow open']);
  expect(await ask(guard.shadow)).toMatchObject({ failure: { code: 'BREAKER_OPEN' } });
  expect(await ask(guard)).toMatchObject({ reason: 'live' });
  expect(guard.status()).toMatchObject({
    asked: 1,
    unavailableSince: undefined,
    remote: { breaker: { state: 'closed' } },
  });
});

it('asks while the circuit breaker of the decisions is open', async () => {
  const guard = guardOf(answering(gone), () => answering(allow('shadow')));
  for (let count = 0; count < 3; count++) await ask(guard);
  expect(states).toEqual(['live open']);
  expect(await ask(guard.shadow)).toMatchObject({ reason: 'shadow' });
});

it('does not ask a source that needs the user in person', async () => {
  const build = jest.fn(() => answering(allow('shadow')));
  const guard = guardOf(answering(allow('live')), build, true);
  expect(await ask(guard.shadow)).toMatchObject({ failure: { code: 'NEEDS_USER' } });
  expect(build).not.toHaveBeenCalled();
});

it('ends its questions when it is closed, those that wait too, and puts no other', async () => {
  const put: string[] = [];
  const closes = jest.fn(async () => {});
  const shadow: RemoteSource = {
    prepare: () => ({
      key: undefined,
      put: signal =>
        new Promise(resolve => {
          put.push('put');
          signal.onabort = () => resolve(gone);
        }),
    }),
    close: closes,
  };
  const guard = guardOf(answering(allow('live')), () => shadow);
  const asked = Array.from({ length: SHADOW_SLOTS + 3 }, () => ask(guard.shadow));
  await turn();
  await guard.shadow.close();
  await Promise.all(asked);
  expect(put).toHaveLength(SHADOW_SLOTS);
  expect(closes).toHaveBeenCalledTimes(1);
  expect(await ask(guard.shadow)).toMatchObject({ failure: { code: 'CLOSED' } });
  expect(await ask(guard)).toMatchObject({ reason: 'live' });
});

it('closes with its guard, and is not made after that', async () => {
  const build = jest.fn(() => answering(allow('shadow')));
  const guard = guardOf(answering(allow('live')), build);
  await guard.close();
  expect(await ask(guard.shadow)).toMatchObject({ failure: { code: 'CLOSED' } });
  expect(build).not.toHaveBeenCalled();
});

it('counts nothing of a local source, and does not ask it once it is closed', async () => {
  const source = { ask: jest.fn(() => allow('local')), close: async () => {} };
  const guard = new LocalGuard(source);
  expect(await ask(guard.shadow)).toMatchObject({ reason: 'local' });
  expect(guard.status().asked).toBe(0);
  await guard.shadow.close();
  expect(await ask(guard.shadow)).toMatchObject({ failure: { code: 'CLOSED' } });
  expect(source.ask).toHaveBeenCalledTimes(1);
  expect(await ask(guard)).toMatchObject({ reason: 'local' });
});
