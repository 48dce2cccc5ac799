/** Conditions in plain words, for operators. */
import type { PermissionCondition } from '@backstage/plugin-permission-common';
import { cut, someOf } from '../lib/bounded';
import { quote } from '../lib/quote';
import type { Criteria } from '../verdict';
import { MAX_CONDITION_DEPTH } from './size';

/** Groups, negations and rules that are looked at, however few words they take. */
const MAX_NODES = 1000;
/** Parameters of a rule, or keys of an object in one. */
const MAX_FIELDS = 5;
const MAX_ITEMS = 10;
/** Characters of a list after which no further item is shown. */
const MAX_LIST = 150;
/** Lists and objects in a parameter; deeper ones are `[…]` or `{…}`. */
const MAX_PARAM_DEPTH = 3;

/** Text that needs no quotes to be read as one. */
const PLAIN = /^[A-Za-z][\w.:/@+-]{0,99}$/;
const WORDS_OF_OURS = new Set(['and', 'or', 'not', 'true', 'false', 'null']);

/**
 * `IS_ENTITY_OWNER claims [group:default/search] and not HAS_ANNOTATION annotation
 * example.com/protected`. Of a huge tree only so much is looked at as is shown.
 *
 * @param most - characters; longer words end with `…`. Default: 300.
 */
export function inWords(conditions: Criteria, most = 300): string {
  const words = new Words(most);
  words.add(conditions, undefined, 1);
  return cut(words.text, most);
}

type Connective = 'and' | 'or' | 'not';

class Words {
  text = '';
  private nodes = 0;

  constructor(private readonly most: number) {}

  /** @param inside - what it is part of, which says whether it needs parentheses. */
  add(criteria: Criteria, inside: Connective | undefined, depth: number): void {
    const node = this.withoutGroupsOfOne(criteria);
    if (!node || depth > MAX_CONDITION_DEPTH) {
      this.text += '…';
    } else if ('allOf' in node) {
      this.addGroup(node.allOf, 'and', inside, depth);
    } else if ('anyOf' in node) {
      this.addGroup(node.anyOf, 'or', inside, depth);
    } else if ('not' in node) {
      this.text += 'not ';
      this.add(node.not, 'not', depth + 1);
    } else {
      this.text += ruleInWords(node);
    }
  }

  private addGroup(
    children: readonly Criteria[],
    connective: Connective,
    inside: Connective | undefined,
    depth: number,
  ): void {
    const isPart = inside !== undefined && inside !== connective;
    if (isPart) this.text += '(';
    for (const [index, child] of children.entries()) {
      if (index > 0) this.text += ` ${connective} `;
      this.add(child, connective, depth + 1);
      if (this.isFull) return;
    }
    if (isPart) this.text += ')';
  }

  private get isFull(): boolean {
    return this.text.length > this.most || this.nodes > MAX_NODES;
  }

  /** Undefined if there were too many of them. */
  private withoutGroupsOfOne(criteria: Criteria): Criteria | undefined {
    let node = criteria;
    while (++this.nodes <= MAX_NODES) {
      const children = 'allOf' in node ? node.allOf : 'anyOf' in node ? node.anyOf : [];
      if (children.length !== 1) return node;
      node = children[0]!;
    }
    return undefined;
  }
}

function ruleInWords({ rule, params = {} }: PermissionCondition): string {
  const shown = fieldsOf(params, ' ', MAX_PARAM_DEPTH);
  return shown === '' ? word(rule) : `${word(rule)} ${shown}`;
}

function valueInWords(value: unknown, depth: number): string {
  if (typeof value === 'string') return word(value);
  if (Array.isArray(value)) return depth === 0 ? '[…]' : list(value, depth);
  if (typeof value === 'object' && value !== null) {
    return depth === 0 ? '{…}' : `{${fieldsOf(value, ': ', depth - 1)}}`;
  }
  return String(value);
}

function list(values: readonly unknown[], depth: number): string {
  let text = '';
  let shown = 0;
  while (shown < values.length && shown < MAX_ITEMS && text.length < MAX_LIST) {
    text += `${shown > 0 ? ', ' : ''}${valueInWords(values[shown], depth - 1)}`;
    shown++;
  }
  const more = values.length - shown;
  return `[${text}${more > 0 ? ` and ${more} more` : ''}]`;
}

/** `a 1, b 2 and 3 more` */
function fieldsOf(value: object, separator: string, depth: number): string {
  const names = Object.keys(value);
  const shown = names.slice(0, MAX_FIELDS).map(name => {
    const field = (value as Record<string, unknown>)[name];
    return `${word(name)}${separator}${valueInWords(field, depth)}`;
  });
  return someOf(shown, names.length, MAX_FIELDS);
}

const word = (text: string): string =>
  PLAIN.test(text) && !WORDS_OF_OURS.has(text) ? text : quote(text);
