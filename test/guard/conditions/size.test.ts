import {
  MAX_CONDITION_DEPTH,
  MAX_CONDITION_NODES,
  bytesOf,
  sizeProblem,
} from '../../../src/guard/conditions/size';
import type { Criteria } from '../../../src/verdict';
import { all, any, not, rule } from '../../fixtures/builders';

const PLENTY = 100 * 1024 * 1024;
const TOO_MANY = 'conditions of more than 500 nodes';
const TOO_DEEP = 'conditions nested deeper than 16 levels';

const leaf = (): Criteria => rule('A');
const rules = (count: number): Criteria[] => Array.from({ length: count }, leaf);
const empty = (count: number): Criteria[] => Array<Criteria>(count).fill(any());

/** Wrapped so many times, by these in turn. */
function wrapped(times: number, ...wraps: Array<(criteria: Criteria) => Criteria>) {
  let criteria = leaf();
  for (let time = 0; time < times; time++) {
    criteria = wraps[time % wraps.length]!(criteria);
  }
  return criteria;
}

/** Criteria of exactly this size: itself a node, with what is below it. */
const ofNodes = (nodes: number): Criteria => all(...rules(nodes - 1));

it('has the limits that the docs name', () => {
  expect([MAX_CONDITION_NODES, MAX_CONDITION_DEPTH]).toEqual([500, 16]);
});

describe('conditions of as many nodes as the limit allows pass, and of one more do not,', () => {
  it.each([
    ['rules in one group', ofNodes(500), ofNodes(501)],
    ['rules in an anyOf', any(...rules(499)), any(...rules(500))],
    [
      'groups in groups',
      all(ofNodes(300), any(...rules(198))),
      all(ofNodes(300), any(...rules(199))),
    ],
    [
      'negations',
      all(...rules(249).map(not), leaf()),
      all(...rules(249).map(not), leaf(), leaf()),
    ],
    [
      'negations of groups',
      all(not(any(...rules(100))), ...rules(397)),
      all(not(any(...rules(100))), ...rules(398)),
    ],
    ['empty groups', all(...empty(499)), all(...empty(500))],
  ])('counted in %s', (_what, at, over) => {
    expect(sizeProblem(at, PLENTY)).toBeUndefined();
    expect(sizeProblem(over, PLENTY)).toBe(TOO_MANY);
  });
});

describe('conditions as deep as the limit allows pass, and one deeper do not,', () => {
  it.each([
    ['by allOf', [all]],
    ['by anyOf', [any]],
    ['by not', [not]],
    ['by all of them', [any, not, all]],
  ])('%s', (_what, wraps) => {
    expect(sizeProblem(wrapped(15, ...wraps), PLENTY)).toBeUndefined();
    expect(sizeProblem(wrapped(16, ...wraps), PLENTY)).toBe(TOO_DEEP);
  });

  it('be it in the last child only', () => {
    expect(sizeProblem(all(leaf(), wrapped(14, not)), PLENTY)).toBeUndefined();
    expect(sizeProblem(all(leaf(), wrapped(15, not)), PLENTY)).toBe(TOO_DEEP);
  });

  it('and parameters are no levels', () => {
    const params = JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`) as object;
    const within = rule('A', { params } as object);
    expect(sizeProblem(within, PLENTY)).toBeUndefined();
  });
});

describe('conditions of as many bytes as the limit allows pass, and of one more do not,', () => {
  const withText = (text: string): Criteria => rule('A', { params: { text } });
  const plain = bytesOf(withText(''));

  it.each([
    ['ASCII', 'abc', 3],
    ['a letter of two bytes', 'é', 2],
    ['a letter of three bytes', '€', 3],
    ['a character of four bytes', '😀', 4],
    ['a quote, which JSON escapes', '"', 2],
    ['half of a pair, which JSON escapes', '\ud800', 6],
    ['much text', 'ä'.repeat(50_000), 100_000],
  ])('of %s', (_what, text, bytes) => {
    const criteria = withText(text);
    expect(bytesOf(criteria)).toBe(plain + bytes);
    expect(sizeProblem(criteria, plain + bytes)).toBeUndefined();
    expect(sizeProblem(criteria, plain + bytes - 1)).toBe(
      `conditions of ${plain + bytes} bytes, more than maxConditionBytes (${plain + bytes - 1})`,
    );
  });

  it('whatever part of them it is that is large', () => {
    const long = 'x'.repeat(1000);
    for (const criteria of [
      rule(long),
      rule('A', { resourceType: long }),
      rule('A', { params: { [long]: 1 } }),
      not(rule(long)),
      all(leaf(), rule(long)),
      { ...rule('A'), unknown: long },
    ]) {
      expect(sizeProblem(criteria, 1000)).toMatch(
        /^conditions of \d+ bytes, more than/,
      );
      expect(sizeProblem(criteria, 2000)).toBeUndefined();
    }
  });

  it('as JSON gives them', () => {
    for (const criteria of [leaf(), wrapped(9, any, not, all), ofNodes(40)]) {
      expect(bytesOf(criteria)).toBe(Buffer.from(JSON.stringify(criteria)).length);
    }
  });
});

describe('conditions beyond all measure are refused at a glance', () => {
  const million = (): Criteria => ({ allOf: rules(1_000_000) }) as unknown as Criteria;
  /** Holds itself, so often, in a group or in place of one. */
  const cyclic = (key: 'allOf' | 'anyOf' | 'not', times: number): Criteria => {
    const node: Record<string, unknown> = {};
    node[key] = key === 'not' ? node : Array<unknown>(times).fill(node);
    return node as unknown as Criteria;
  };

  it.each([
    ['nested a hundred thousand deep', () => wrapped(100_000, not, all, any), TOO_DEEP],
    ['a million in one group', million, TOO_MANY],
    ['a million in a group of another', () => any(leaf(), million()), TOO_MANY],
    ['a group that holds itself', () => cyclic('allOf', 1), TOO_DEEP],
    ['a group that holds itself twice', () => cyclic('anyOf', 2), TOO_MANY],
    ['a negation of itself', () => cyclic('not', 1), TOO_DEEP],
  ])('%s', (_what, criteria, problem) => {
    expect(sizeProblem(criteria(), 65_536)).toBe(problem);
  });

  it('of a hundred megabytes', () => {
    const huge = rule('A', { params: { text: 'x'.repeat(PLENTY) } });
    expect(sizeProblem(huge, 65_536)).toMatch(
      /^conditions of 104857\d{3} bytes, more than maxConditionBytes \(65536\)$/,
    );
  });
});

describe('conditions that are none are left to the check of their shape:', () => {
  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['text', 'A'],
    ['a function', () => {}],
    ['a symbol', Symbol('A')],
    ['a list', [rule('A')]],
    ['an empty object', {}],
    ['a group that is no list', { allOf: { 0: 'A' }, anyOf: 'A' }],
    ['a group that holds anything', { allOf: [null, undefined, 7, 'A', [[]]] }],
    ['a negation of nothing', { not: undefined }],
    ['a negation of null', { not: null }],
    ['a map', new Map([['allOf', [1]]])],
    ['no prototype', Object.assign(Object.create(null) as object, { not: 1 })],
    ['what JSON leaves out', { toJSON: () => undefined }],
  ])('%s', (_what, odd) => {
    expect(sizeProblem(odd as Criteria, 65_536)).toBeUndefined();
  });
});
