import { RecentTexts } from '../../src/lib/recent-texts';

const text = (index: number, length = 10): string =>
  String(index).padStart(length, '0');

it('a value is found by its text', () => {
  const texts = new RecentTexts<number>(100);
  texts.add('a', 1);
  texts.add('b', 2);
  expect(['a', 'b', 'c'].map(each => texts.get(each))).toEqual([1, 2, undefined]);
});

it('what was added last is kept, and what was added long ago is not', () => {
  const texts = new RecentTexts<number>(100);
  for (let index = 0; index < 1000; index++) texts.add(text(index), index);
  const kept = Array.from({ length: 1000 }, (_, index) => index).filter(
    index => texts.get(text(index)) !== undefined,
  );
  expect(kept).toContain(999);
  expect(kept.length).toBeGreaterThanOrEqual(5);
  expect(kept.length).toBeLessThanOrEqual(10);
});

it('what is found again and again is kept', () => {
  const texts = new RecentTexts<string>(100);
  texts.add('often', 'asked');
  for (let index = 0; index < 1000; index++) {
    texts.add(text(index), 'seldom');
    expect(texts.get('often')).toBe('asked');
  }
});

it('no long text is kept, which would take the place of many others', () => {
  const texts = new RecentTexts<number>(800);
  texts.add(text(1, 100), 1);
  texts.add(text(2, 101), 2);
  expect([text(1, 100), text(2, 101)].map(each => texts.get(each))).toEqual([
    1,
    undefined,
  ]);
});
