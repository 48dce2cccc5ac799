import { FailingUsers } from '../../src/guard/failing-users';
import { pass, resumeClock, stopClock } from '../support/clock';

beforeEach(stopClock);
afterEach(resumeClock);

const WINDOW = 1000;

it.each<[wanted: number, users: Array<string | undefined>, enough: boolean]>([
  [1, [], false],
  [1, ['a'], true],
  [2, ['a', 'a', 'a'], false],
  [2, ['a', 'b'], true],
  [2, [undefined, undefined], false],
  [2, [undefined, 'a'], true],
  [3, ['a', 'b', 'a', 'b'], false],
  [3, ['a', 'b', 'a', 'c'], true],
])('%d of %j are enough: %s', (wanted, users, enough) => {
  const failing = new FailingUsers(wanted, WINDOW);
  for (const user of users) failing.add(user);
  expect(failing.enough).toBe(enough);
});

it('a failure counts to the end of the window, from the last of its user', async () => {
  const failing = new FailingUsers(2, WINDOW);
  failing.add('a');
  await pass(WINDOW / 2);
  failing.add('b');
  failing.add('a');
  await pass(WINDOW);
  expect(failing.enough).toBe(true);
  await pass(1);
  expect(failing.enough).toBe(false);
});

it('the latest users count, however many failed before them', async () => {
  const failing = new FailingUsers(2, WINDOW);
  for (const user of ['a', 'b', 'c', 'd']) failing.add(user);
  await pass(WINDOW / 2);
  failing.add('e');
  await pass(WINDOW / 2 + 1);
  expect(failing.enough).toBe(false);
  failing.add('f');
  expect(failing.enough).toBe(true);
});
