import { barChart, type BarChart } from './bars';
import { elementsOf, type Element } from './well-formed';

const bar = (title: string, median: number, isRouter = false) => ({
  title,
  isRouter,
  spread: { low: median * 0.9, median, high: median * 1.2 },
});

const CHART: BarChart = {
  label: 'speeds of "all" & <none>',
  unit: 'of allow-all',
  scale: 'linear',
  panels: [
    { title: '1 item', bars: [bar('allow <all>', 1), bar('router & OPA', 0.5, true)] },
    {
      title: '10 items',
      bars: [bar('allow <all>', 1), bar('router & OPA', 0.25, true)],
    },
    { title: '100 items', bars: [bar('router & OPA', 0.05, true)] },
  ],
};

const ofClass = (elements: readonly Element[], name: string): Element[] =>
  elements.filter(({ attributes }) => attributes.class === name);

const widths = (elements: readonly Element[], name: string): number[] =>
  ofClass(elements, name).map(({ attributes }) => Number(attributes.width));

it('is well-formed, with a text for those who cannot see it', () => {
  const [root] = elementsOf(barChart(CHART));
  expect(root).toMatchObject({
    name: 'svg',
    attributes: {
      role: 'img',
      'aria-label': expect.stringContaining('&quot;all') as string,
    },
  });
});

it('has a bar and a value for each contestant, the router in its own colour', () => {
  const elements = elementsOf(barChart(CHART));
  expect(ofClass(elements, 'other')).toHaveLength(2);
  expect(ofClass(elements, 'router')).toHaveLength(3);
  expect(ofClass(elements, 'value').map(({ text }) => text)).toEqual([
    '1',
    '0.5',
    '1',
    '0.25',
    '0.05',
  ]);
});

it('bars are as long as their values, in all panels alike', () => {
  const elements = elementsOf(barChart(CHART));
  const [half, quarter] = widths(elements, 'router');
  const [one, oneToo] = widths(elements, 'other');
  expect(one).toBe(oneToo);
  expect(half! / one!).toBeCloseTo(0.5, 1);
  expect(quarter! / one!).toBeCloseTo(0.25, 1);
});

it('shows the spread around the end of each bar', () => {
  const elements = elementsOf(barChart(CHART));
  const { attributes } = ofClass(elements, 'spread')[0]!;
  const { x, width } = ofClass(elements, 'other')[0]!.attributes;
  const end = Number(x) + Number(width);
  expect(Number(attributes.x1)).toBeLessThan(end);
  expect(Number(attributes.x2)).toBeGreaterThan(end);
});

it('stays inside of the chart', () => {
  const elements = elementsOf(barChart(CHART));
  const [, , width, height] = elements[0]!.attributes.viewBox!.split(' ').map(Number);
  expect(width).toBe(1000);
  for (const { attributes } of [
    ...ofClass(elements, 'router'),
    ...ofClass(elements, 'spread'),
  ]) {
    expect(Number(attributes.x ?? attributes.x2)).toBeLessThan(500);
    expect(Number(attributes.y ?? attributes.y1)).toBeLessThan(height!);
  }
});

it('with a logarithmic scale, ten times as much is always as much longer', () => {
  const logarithmic: BarChart = {
    ...CHART,
    scale: 'logarithmic',
    panels: [{ title: 'all', bars: [bar('a', 0.2), bar('b', 2), bar('c', 20)] }],
  };
  const [a, b, c] = widths(elementsOf(barChart(logarithmic)), 'other');
  expect(a).toBeGreaterThan(0);
  expect(c! - b!).toBeCloseTo(b! - a!, 0);
});
