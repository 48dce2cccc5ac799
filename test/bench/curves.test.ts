import { curveChart } from './curves';
import { elementsOf } from './well-formed';

const curve = (title: string, ...ys: number[]) => ({
  title,
  points: ys.map((y, index) => ({ x: (index + 1) * 1000, y })),
});

const elements = elementsOf(
  curveChart({
    label: 'memory',
    xUnit: 'decisions',
    yUnit: 'MB',
    curves: [
      curve('native', 100, 100, 100),
      curve('Wasm & bundle', 100, 120, 110),
      curve('never measured'),
    ],
  }),
);

const ofClass = (name: string) =>
  elements.filter(({ attributes }) => attributes.class === name);

it('draws a curve with its title for each that has points', () => {
  expect(ofClass('curve')).toHaveLength(2);
  expect(ofClass('label').map(({ text }) => text)).toEqual([
    'native',
    'Wasm &amp; bundle',
  ]);
});

it('begins at zero, so that little growth looks like little', () => {
  const [, , , height] = elements[0]!.attributes.viewBox!.split(' ').map(Number);
  const heights = ofClass('curve')[1]!
    .attributes.points!.split(' ')
    .map(at => Number(at.split(',')[1]));
  // Less is further down.
  expect(heights[1]).toBeLessThan(heights[2]!);
  expect(heights[2]).toBeLessThan(heights[0]!);
  expect(heights[0]! - heights[1]!).toBeLessThan(height! / 4);
});

it('keeps the titles of curves that end at the same place apart', () => {
  const same = curveChart({
    label: 'memory',
    xUnit: '',
    yUnit: '',
    curves: Array.from({ length: 7 }, (_, index) => curve(`mode ${index}`, 5, 5)),
  });
  const places = elementsOf(same)
    .filter(({ attributes }) => attributes.class === 'label')
    .map(({ attributes }) => Number(attributes.y))
    .sort((a, b) => a - b);
  expect(places).toHaveLength(7);
  for (const [index, place] of places.entries()) {
    if (index > 0) expect(place - places[index - 1]!).toBeGreaterThan(10);
  }
});
