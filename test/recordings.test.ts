import { RECORDED_AT_ONCE, RECORDED_WAITING, Recordings } from '../src/recordings';
import type { Failure } from '../src/verdict';

const refused = ({ class: failureClass, code }: Failure): string =>
  `${failureClass} ${code}`;

/** Decisions that go on until they are told to end. */
function held(recordings: Recordings) {
  let begun = 0;
  let end = (): void => {};
  const ended = new Promise<void>(resolve => (end = resolve));
  const begin = () =>
    recordings.run(async () => {
      begun++;
      await ended;
      return 'decided';
    }, refused);
  return { begin, end, begun: () => begun };
}

const nextTurn = () => new Promise(setImmediate);

it('makes few decisions at once, and the others after them', async () => {
  const { begin, end, begun } = held(new Recordings());
  const all = Array.from({ length: RECORDED_AT_ONCE + 5 }, begin);
  await nextTurn();
  await nextTurn();
  expect(begun()).toBe(RECORDED_AT_ONCE);
  end();
  expect(new Set(await Promise.all(all))).toEqual(new Set(['decided']));
  expect(begun()).toBe(RECORDED_AT_ONCE + 5);
});

it('refuses those that would wait behind too many', async () => {
  const { begin, end, begun } = held(new Recordings());
  const all = Array.from({ length: RECORDED_AT_ONCE + RECORDED_WAITING }, begin);
  await nextTurn();
  expect(await begin()).toBe('overloaded NOT_RECORDED');
  end();
  expect(new Set(await Promise.all(all))).toEqual(new Set(['decided']));
  expect(begun()).toBe(RECORDED_AT_ONCE + RECORDED_WAITING);
});

it('begins no decision in the turn in which it is asked for', async () => {
  let begun = false;
  const done = new Recordings().run(async () => {
    begun = true;
  }, refused);
  await Promise.resolve().then(() => {});
  expect(begun).toBe(false);
  await done;
  expect(begun).toBe(true);
});
