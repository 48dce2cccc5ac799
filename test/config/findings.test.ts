import { Findings, formatPath } from '../../src/config/findings';

/** The finding of one route. */
const add = (
  findings: Findings,
  index: number,
  message: string,
  sameAs?: string,
): void => findings.add({ path: ['routes', index], message, sameAs });

const linesOf = (findings: Findings): string[] =>
  findings.list().listed.map(({ path, message }) => `${formatPath(path)}: ${message}`);

it('keeps the order in which findings were added', () => {
  const findings = new Findings();
  add(findings, 0, 'one', 'x');
  add(findings, 1, 'two', 'y');
  add(findings, 2, 'three', 'x');
  add(findings, 3, 'four');
  expect(linesOf(findings)).toEqual([
    'routes[0]: one',
    'routes[1]: two',
    'routes[2]: three',
    'routes[3]: four',
  ]);
  expect(findings.list().count).toBe(4);
});

it('leaves five that say the same alone', () => {
  const findings = new Findings();
  for (let index = 0; index < 5; index++) add(findings, index, 'wrong', 'x');
  expect(linesOf(findings)).toHaveLength(5);
  expect(linesOf(findings)[4]).toBe('routes[4]: wrong');
});

it('makes one of more than five, which names the first places', () => {
  const findings = new Findings();
  for (let index = 0; index < 6; index++) add(findings, index, `wrong ${index}`, 'x');
  add(findings, 9, 'other');
  expect(linesOf(findings)).toEqual([
    'routes[0]: wrong 0; the same applies to routes[1], routes[2], routes[3], routes[4], routes[5]',
    'routes[9]: other',
  ]);
  expect(findings.list().count).toBe(2);
});

it('counts the places that such a one does not name', () => {
  const findings = new Findings();
  for (let index = 0; index < 10_000; index++) add(findings, index, 'wrong', 'x');
  expect(linesOf(findings)).toEqual([
    'routes[0]: wrong; the same applies to routes[1], routes[2], routes[3], routes[4], routes[5] and 9994 more',
  ]);
});

it('does not take equal messages for the same', () => {
  const findings = new Findings();
  for (let index = 0; index < 10; index++) add(findings, index, 'wrong');
  expect(linesOf(findings)).toHaveLength(10);
});

it('lists 50 and counts the rest', () => {
  const findings = new Findings();
  for (let index = 0; index < 10_000; index++) add(findings, index, `wrong ${index}`);
  const { listed, count } = findings.list();
  expect(listed.map(({ message }) => message)).toEqual(
    Array.from({ length: 50 }, (_, index) => `wrong ${index}`),
  );
  expect(count).toBe(10_000);
});

it('counts lines that would be listed if there were room', () => {
  const findings = new Findings();
  for (let index = 0; index < 60; index++) {
    add(findings, index, `wrong ${index}`, `pair ${index % 30}`);
  }
  expect(findings.list().listed).toHaveLength(50);
  expect(findings.list().count).toBe(60);
});

it('names places at the end of a message of any length', () => {
  const findings = new Findings();
  for (let index = 0; index < 100; index++) {
    const path = ['sources', `${index}${'n'.repeat(1000)}`];
    findings.add({ path, message: 'm'.repeat(10_000), sameAs: 'x' });
  }
  const { message } = findings.list().listed[0]!;
  expect(message).toHaveLength(500);
  expect(message).toMatch(/…; the same applies to sources\.1n+…, .* and 94 more$/);
});

it.each([
  [[], ''],
  [['routes', 0], 'routes[0]'],
  [['routes', 10, 'sources', 2], 'routes[10].sources[2]'],
  [['sources', 'opa', 'auth'], 'sources.opa.auth'],
  [['sources', 'x'.repeat(1000)], `sources.${'x'.repeat(99)}…`],
])('writes %j as a path', (path, text) => {
  expect(formatPath(path)).toBe(text);
});
