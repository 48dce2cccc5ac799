import { Progress } from './progress';

beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick'] }));
afterEach(() => jest.useRealTimers());

it('says how far it is and how long it will still take', () => {
  const written: string[] = [];
  const progress = new Progress('memory', 40, text => written.push(text), false);
  for (let step = 0; step < 40; step++) {
    jest.advanceTimersByTime(3000);
    progress.step(`step ${step + 1}`);
  }
  expect(written).toEqual([
    'memory: step 1\n',
    'memory: step 5, 1:45 to go\n',
    expect.stringContaining('step 9'),
    ...Array.from({ length: 7 }, () => expect.any(String) as string),
    'memory: step 40, 0:00 to go\n',
  ]);
});

it('overwrites its line on a terminal, and removes it at the end', () => {
  const written: string[] = [];
  const progress = new Progress('memory', 2, text => written.push(text), true);
  progress.step('one');
  progress.step('two');
  expect(written).toEqual(['\r\x1b[Kmemory: one, 0:00 to go', '\r\x1b[K']);
});
