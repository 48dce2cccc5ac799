import { elementsOf, type Element } from '../well-formed';
import { chart, type Panel } from './chart';

const line = (title: string, power: number, isWorse = false) => ({
  title,
  points: [1, 10, 100].map(size => ({ size, time: 5 * size ** power })),
  isWorse,
});

const PANELS: readonly Panel[] = [
  { title: 'routes', lines: [line('read', 1), line('find <ties> & gaps', 2, true)] },
  { title: 'groups', lines: [line('identity', 0)] },
  { title: 'items', lines: [line('one size', 1)] },
];

const elements = elementsOf(chart(PANELS));

const ofClass = (name: string): Element[] =>
  elements.filter(({ attributes }) => attributes.class?.split(' ').includes(name));

it('the chart is well-formed XML', () => {
  expect(elements[0]!.name).toBe('svg');
  expect(() => elementsOf('<svg><g></svg>')).toThrow();
  expect(() => elementsOf('<svg>a & b</svg>')).toThrow();
});

it('has one line per stage, with its title, and one n log n per panel', () => {
  expect(ofClass('stage')).toHaveLength(4);
  expect(ofClass('label').map(({ text }) => text)).toEqual([
    'read',
    'find &lt;ties&gt; &amp; gaps',
    'identity',
    'one size',
  ]);
  expect(ofClass('nlogn')).toHaveLength(PANELS.length);
});

it('distinguishes what grows worse', () => {
  expect(ofClass('worse').map(({ name }) => name)).toEqual(['polyline', 'text']);
});

it('draws a line through all its points, inside of the chart', () => {
  const [, , width, height] = elements[0]!.attributes.viewBox!.split(' ').map(Number);
  for (const { attributes } of ofClass('stage')) {
    const points = attributes.points!.split(' ').map(at => at.split(',').map(Number));
    expect(points).toHaveLength(3);
    for (const [x, y] of points) {
      expect(x).toBeGreaterThan(0);
      expect(x).toBeLessThan(width! / 2);
      expect(y).toBeGreaterThan(0);
      expect(y).toBeLessThan(height! / 2);
    }
  }
});

it('keeps the titles of lines that end at the same place apart', () => {
  const same = Array.from({ length: 8 }, (_, index) => line(`stage ${index}`, 1));
  const labels = elementsOf(chart([{ title: 'all alike', lines: same }])).filter(
    ({ attributes }) => attributes.class === 'label',
  );
  const heights = labels
    .map(({ attributes }) => Number(attributes.y))
    .sort((a, b) => a - b);
  for (const [index, y] of heights.entries()) {
    if (index > 0) expect(y - heights[index - 1]!).toBeGreaterThan(10);
  }
});
