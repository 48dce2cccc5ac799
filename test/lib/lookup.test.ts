/** Looking up host names: once at a time each, and what shows that no thread was free. */
import { randomBytes } from 'node:crypto';
import { lookup as lookupInThread } from 'node:dns';
import { lookup, threadWait } from '../../src/lib/lookup';
import { pass, resumeClock, stopClock } from '../support/clock';

jest.mock('node:dns', () => ({ lookup: jest.fn() }));
jest.mock('node:crypto', () => ({ randomBytes: jest.fn() }));

type Found = (error: Error | null, address: string, family: number) => void;

/** What waits for a thread, and gets it when the test says so. */
let waiting: Array<{ readonly name: string; readonly found: Found }>;

beforeEach(() => {
  stopClock();
  waiting = [];
  (lookupInThread as unknown as jest.Mock).mockImplementation(
    (name: string, _options: object, found: Found) => waiting.push({ name, found }),
  );
  (randomBytes as unknown as jest.Mock).mockImplementation(
    (size: number, found: Found) =>
      waiting.push({ name: `${size} random byte`, found }),
  );
});
afterEach(() => {
  // The module remembers what waits.
  finish(/./);
  resumeClock();
});

const names = (): string[] => waiting.map(({ name }) => name);

/** Everything that waits with such a name is done. */
function finish(name: RegExp, error: Error | null = null): void {
  const done = waiting.filter(each => name.test(each.name));
  waiting = waiting.filter(each => !name.test(each.name));
  for (const { found } of done) found(error, '127.0.0.2', 4);
}

/** What a caller of a lookup gets. */
function look(name: string, options: object = {}): jest.Mock {
  const found = jest.fn();
  lookup(name, options, found);
  return found;
}

/** How long no thread was free during this. */
async function waitDuring(steps: () => Promise<void>): Promise<number> {
  const before = threadWait();
  await steps();
  return threadWait() - before;
}

it('a name is looked up once at a time, for all who ask for the same', () => {
  const [first, second] = [look('opa.test'), look('opa.test')];
  expect(names()).toEqual(['localhost', 'opa.test']);
  finish(/opa/);
  expect([first.mock.calls, second.mock.calls]).toEqual([
    [[null, '127.0.0.2', 4]],
    [[null, '127.0.0.2', 4]],
  ]);
  look('opa.test');
  expect(names()).toEqual(['localhost', 'opa.test']);
});

it('other names and other options are other lookups', () => {
  look('opa.test', { family: 4 });
  look('opa.test', { family: 6 });
  expect(names()).toEqual(['localhost', 'opa.test', 'opa.test']);
});

it('all who wait for a name hear that there is none', () => {
  const error = Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
  const found = [look('opa.test'), look('opa.test')];
  finish(/opa/, error);
  for (const each of found) expect(each).toHaveBeenCalledWith(error, '127.0.0.2', 4);
});

it('a lookup that waits while the probe has returned waits for DNS, not for a thread', async () => {
  expect(
    await waitDuring(async () => {
      look('opa.test');
      finish(/localhost/);
      await pass(500);
    }),
  ).toBe(0);
});

it('a probe that has not returned waits for a thread, and each time counts once', async () => {
  expect(
    await waitDuring(async () => {
      look('opa.test');
      await pass(200);
      look('opa.test');
      look('other.test');
      expect(names().filter(name => name === 'localhost')).toHaveLength(1);
      await pass(300);
    }),
  ).toBe(500);
});

it('what a probe has waited stays counted, and the next lookup has its own probe', async () => {
  expect(
    await waitDuring(async () => {
      look('opa.test');
      await pass(200);
      finish(/./);
      await pass(1000);
      look('opa.test');
      await pass(50);
      finish(/./);
    }),
  ).toBe(250);
});

it('where our own lookups take all threads for lookups, the probe asks for any thread', async () => {
  for (const name of ['opa-1.test', 'opa-2.test']) {
    look(name);
    finish(/localhost/);
  }
  look('opa-1.test');
  expect(names()).toEqual(['opa-1.test', 'opa-2.test', '1 random byte']);
});
