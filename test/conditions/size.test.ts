import {
  MAX_CONDITION_DEPTH,
  bytesOf,
  bytesProblem,
  treeProblem,
} from '../../src/conditions/size';
import type { Conditions } from '../../src/verdict';
import { all, any, not, rule } from '../fixtures/builders';

const MAX_BYTES = 8000;
const TOO_MANY = 'conditions of more bytes than maxConditionBytes (8000)';
const TOO_DEEP = 'conditions nested deeper than 200 levels';
const problemOf = (conditions: Conditions) => treeProblem(conditions, MAX_BYTES);

const leaf = (): Conditions => rule('A');
const rules = (count: number): Conditions[] => Array.from({ length: count }, leaf);
const empty = (count: number): Conditions[] => Array<Conditions>(count).fill(any());

/** Wrapped this many times, by these in turn. */
function wrapped(times: number, ...wraps: Array<(criteria: Conditions) => Conditions>) {
  let criteria = leaf();
  for (let time = 0; time < times; time++) {
    criteria = wraps[time % wraps.length]!(criteria);
  }
  return criteria;
}

/** Conditions of exactly this size: itself a node, with what is below it. */
const ofNodes = (nodes: number): Conditions => all(...rules(nodes - 1));

it('has the limit that the docs name', () => {
  expect(MAX_CONDITION_DEPTH).toBe(200);
});

it('no conditions have more nodes than their bytes allow', () => {
  const shortest = [
    rule('', { resourceType: '', params: {} }),
    wrapped(199, not),
    wrapped(199, all, not),
    all(...rules(50).map(each => not(not(not(each))))),
  ];
  for (const conditions of shortest) {
    expect(treeProblem(conditions, bytesOf(conditions))).toBeUndefined();
  }
});

describe('conditions of as many nodes as bytes could hold pass, and of one more do not,', () => {
  it.each([
    ['rules in one group', ofNodes(1000), ofNodes(1001)],
    ['rules in an anyOf', any(...rules(999)), any(...rules(1000))],
    [
      'groups in groups',
      all(ofNodes(800), any(...rules(198))),
      all(ofNodes(800), any(...rules(199))),
    ],
    [
      'negations',
      all(...rules(499).map(not), leaf()),
      all(...rules(499).map(not), leaf(), leaf()),
    ],
    [
      'negations of groups',
      all(not(any(...rules(100))), ...rules(897)),
      all(not(any(...rules(100))), ...rules(898)),
    ],
    ['empty groups', all(...empty(999)), all(...empty(1000))],
  ])('counted in %s', (_what, at, over) => {
    expect(problemOf(at)).toBeUndefined();
    expect(problemOf(over)).toBe(TOO_MANY);
  });
});

describe('conditions as deep as the limit allows pass, and one deeper do not,', () => {
  it.each([
    ['by allOf', [all]],
    ['by anyOf', [any]],
    ['by not', [not]],
    ['by all of them', [any, not, all]],
  ])('%s', (_what, wraps) => {
    expect(problemOf(wrapped(199, ...wraps))).toBeUndefined();
    expect(problemOf(wrapped(200, ...wraps))).toBe(TOO_DEEP);
  });

  it('even if only the last child is', () => {
    expect(problemOf(all(leaf(), wrapped(198, not)))).toBeUndefined();
    expect(problemOf(all(leaf(), wrapped(199, not)))).toBe(TOO_DEEP);
  });

  it('and parameters do not count as levels', () => {
    const params = JSON.parse(`${'{"a":'.repeat(400)}1${'}'.repeat(400)}`) as object;
    const within = rule('A', { params } as object);
    expect(problemOf(within)).toBeUndefined();
  });
});

it('conditions of as many bytes as the limit allows pass, and of one more do not', () => {
  expect(bytesProblem(1000, 1000)).toBeUndefined();
  expect(bytesProblem(1001, 1000)).toBe(
    'conditions of 1001 bytes, more than maxConditionBytes (1000)',
  );
});

describe('conditions are as large as their JSON', () => {
  const withText = (text: string): Conditions => rule('A', { params: { text } });
  const plain = bytesOf(withText(''));

  it.each([
    ['ASCII', 'abc', 3],
    ['a letter of two bytes', 'é', 2],
    ['a letter of three bytes', '€', 3],
    ['a character of four bytes', '😀', 4],
    ['a quote, which JSON escapes', '"', 2],
    ['half of a pair, which JSON escapes', '\ud800', 6],
    ['much text', 'ä'.repeat(50_000), 100_000],
  ])('with %s', (_what, text, bytes) => {
    const criteria = withText(text);
    expect(bytesOf(criteria)).toBe(plain + bytes);
  });

  it.each([
    ['the rule', rule('0123456789')],
    ['the resource type', rule('', { resourceType: 'catalog-entity0123456789' })],
    ['the name of a parameter', rule('', { params: { '0123456789': 1 } })],
  ])('if %s is large', (_what, criteria) => {
    const json = JSON.stringify(criteria).replace('0123456789', '');
    expect(bytesOf(criteria) - bytesOf(JSON.parse(json) as Conditions)).toBe(10);
  });

  it('in groups and negations', () => {
    for (const criteria of [leaf(), wrapped(9, any, not, all), ofNodes(40)]) {
      expect(bytesOf(criteria)).toBe(Buffer.from(JSON.stringify(criteria)).length);
    }
  });
});

describe('huge conditions are refused after a short look', () => {
  const million = (): Conditions =>
    ({ allOf: rules(1_000_000) }) as unknown as Conditions;
  /** Contains itself this many times. */
  const cyclic = (key: 'allOf' | 'anyOf' | 'not', times: number): Conditions => {
    const node: Record<string, unknown> = {};
    node[key] = key === 'not' ? node : Array<unknown>(times).fill(node);
    return node as unknown as Conditions;
  };
  const manyTimes = (criteria: Conditions): Conditions =>
    all(...Array<Conditions>(499).fill(criteria));
  const holes = (length: number): Conditions =>
    ({ anyOf: Array<Conditions>(length) }) as unknown as Conditions;

  it.each([
    ['nested a hundred thousand deep', () => wrapped(100_000, not, all, any), TOO_DEEP],
    ['a million in one group', million, TOO_MANY],
    ['a million in a group of another', () => any(leaf(), million()), TOO_MANY],
    ['a group that contains itself', () => cyclic('allOf', 1), TOO_DEEP],
    ['a group that contains itself twice', () => cyclic('anyOf', 2), TOO_MANY],
    ['a negation of itself', () => cyclic('not', 1), TOO_DEEP],
    ['a million in each of five hundred', () => manyTimes(million()), TOO_MANY],
    ['a list of a billion holes', () => holes(1e9), TOO_MANY],
  ])('%s', (_what, criteria, problem) => {
    expect(problemOf(criteria())).toBe(problem);
  });
});
