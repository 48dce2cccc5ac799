import { tableText, unformatted, withPart } from './page';

const PAGE = [
  '# Performance',
  '<!-- made by npm run bench: begin -->',
  'old',
  '<!-- made by npm run bench: end -->',
  'words',
  '<!-- made by npm run bench:growth: begin -->',
  'old growth',
  '<!-- made by npm run bench:growth: end -->',
  '',
].join('\n');

it('each benchmark writes only between its own markers', () => {
  const both = withPart(withPart(PAGE, 'bench', 'new'), 'bench:growth', 'new growth');
  expect(both.split('\n').filter(line => line !== '')).toEqual([
    '# Performance',
    '<!-- made by npm run bench: begin -->',
    'new',
    '<!-- made by npm run bench: end -->',
    'words',
    '<!-- made by npm run bench:growth: begin -->',
    'new growth',
    '<!-- made by npm run bench:growth: end -->',
  ]);
});

it('writing the same again changes nothing', () => {
  const once = withPart(PAGE, 'bench', 'new');
  expect(withPart(once, 'bench', 'new')).toBe(once);
});

it('refuses a page without the markers', () => {
  expect(() => withPart('# Performance', 'bench', 'new')).toThrow(
    "docs/performance.md has no '<!-- made by npm run bench: begin -->'",
  );
});

it('aligns numbers to the right, and words to the left', () => {
  expect(tableText(['', 'who', 'ms'], [['1 item', 'OPA', '2.0']], 2)).toEqual([
    '|  | who | ms |',
    '| --- | --- | --: |',
    '| 1 item | OPA | 2.0 |',
  ]);
});

it('Prettier leaves what is written as it is', () => {
  expect(unformatted('| a |').split('\n')).toEqual([
    '<!-- prettier-ignore-start -->',
    '',
    '| a |',
    '',
    '<!-- prettier-ignore-end -->',
  ]);
});
