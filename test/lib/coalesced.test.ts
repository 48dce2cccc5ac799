import { coalesced } from '../../src/lib/coalesced';

/** Runs that end when the test says so. */
function manualRuns() {
  const ends: Array<() => void> = [];
  const trigger = coalesced(() => new Promise(resolve => ends.push(resolve)));
  const end = async (): Promise<void> => {
    ends.at(-1)!();
    await new Promise(setImmediate);
  };
  return { trigger, end, begun: () => ends.length };
}

it('runs at once', () => {
  const { trigger, begun } = manualRuns();
  expect(begun()).toBe(0);
  trigger();
  expect(begun()).toBe(1);
});

it('runs once more after a run, however often it was triggered during that', async () => {
  const { trigger, end, begun } = manualRuns();
  for (let count = 0; count < 4; count++) trigger();
  expect(begun()).toBe(1);
  await end();
  expect(begun()).toBe(2);
  await end();
  expect(begun()).toBe(2);
});

it('runs a third time if triggered during the second run', async () => {
  const { trigger, end, begun } = manualRuns();
  trigger();
  trigger();
  await end();
  trigger();
  await end();
  expect(begun()).toBe(3);
});

it('runs again when it is triggered after the end', async () => {
  const { trigger, end, begun } = manualRuns();
  trigger();
  await end();
  trigger();
  expect(begun()).toBe(2);
});

describe.each<[how: string, fail: () => Promise<void>]>([
  ['rejects', () => Promise.reject(new Error('the logger failed'))],
  [
    'throws',
    () => {
      throw new Error('the logger failed');
    },
  ],
])('a run that %s', (_how, fail) => {
  /** Runs that all fail. */
  function failingRuns() {
    let begun = 0;
    const trigger = coalesced(() => {
      begun++;
      return fail();
    });
    return { trigger, begun: () => begun };
  }

  it('ends only itself: the next trigger runs again', async () => {
    const { trigger, begun } = failingRuns();
    for (const expected of [1, 2, 3]) {
      trigger();
      // A rejection left unhandled fails the test here.
      await new Promise(setImmediate);
      expect(begun()).toBe(expected);
    }
  });

  it('is followed by the run that was triggered during it', async () => {
    const { trigger, begun } = failingRuns();
    trigger();
    trigger();
    await new Promise(setImmediate);
    expect(begun()).toBe(2);
  });
});
