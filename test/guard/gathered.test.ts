import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { Gathered } from '../../src/guard/gathered';

function gathering() {
  const flushed: string[] = [];
  const storage = new AsyncLocalStorage<string>();
  const gathered = new Gathered<string>(items =>
    flushed.push(`${items.join(' ')} as ${storage.getStore()}`),
  );
  /** Adds it in a context of this name. */
  const add = (who: string, item: string, context = who): void =>
    storage.run(context, () => gathered.add(who, item));
  return { flushed, add };
}

it('gives all of one user at the end of the turn, in order', async () => {
  const { flushed, add } = gathering();
  add('dana', 'a');
  add('olivia', 'b');
  await Promise.resolve();
  add('dana', 'c');
  process.nextTick(() => add('olivia', 'd'));
  expect(flushed).toEqual([]);
  await turn();
  expect(flushed).toEqual(['a c as dana', 'b d as olivia']);
});

it('gives them in the async context of the first', async () => {
  const { flushed, add } = gathering();
  add('dana', 'a', 'first');
  add('dana', 'b', 'second');
  await turn();
  expect(flushed).toEqual(['a b as first']);
});

it('begins again after that, and leaves nothing behind', async () => {
  const { flushed, add } = gathering();
  add('dana', 'a');
  await turn();
  await turn();
  add('dana', 'b');
  await turn();
  expect(flushed).toEqual(['a as dana', 'b as dana']);
});

it('takes what is asked while it gives for the next turn', async () => {
  const flushed: string[][] = [];
  const gathered = new Gathered<string>(items => {
    flushed.push([...items]);
    if (flushed.length < 3) gathered.add('dana', `after ${flushed.length}`);
  });
  gathered.add('dana', 'a');
  gathered.add('dana', 'b');
  for (let turns = 0; turns < 5; turns++) await turn();
  expect(flushed).toEqual([['a', 'b'], ['after 1'], ['after 2']]);
});
