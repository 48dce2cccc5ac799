/** An explained decision as lines: those of the operations API, and those that are made here. */
import { z } from 'zod';
import { inWords } from '../conditions/words';
import { cut } from '../lib/bounded';
import { escapeInvisible } from '../lib/quote';
import type { Criteria } from '../verdict';
import type { Io } from './io';

const MAX_REASON = 300;
const MAX_LEAF = 300;

/** The style of a text. */
export type Style = (...styled: Parameters<Io['style']>) => string;

/** Conditions of which each part may say whether it is met; `null`: that is not known. */
type Tree = { readonly met?: boolean | null | undefined } & (
  | { readonly allOf: readonly Tree[] }
  | { readonly anyOf: readonly Tree[] }
  | { readonly not: Tree }
  | { readonly rule: string; readonly params?: unknown }
);

const met = z.boolean().nullable().optional();
const tree: z.ZodType<Tree> = z.lazy(() =>
  z.union([
    z.looseObject({ met, allOf: z.array(tree) }),
    z.looseObject({ met, anyOf: z.array(tree) }),
    z.looseObject({ met, not: tree }),
    z.looseObject({ met, rule: z.string(), params: z.unknown() }),
  ]),
);

const link = {
  source: z.string(),
  verdict: z.string(),
  reason: z.string().optional(),
  milliseconds: z.number().optional(),
  endpoint: z.string().optional(),
  failure: z
    .looseObject({ class: z.string(), code: z.string(), message: z.string() })
    .optional(),
};

/** What is shown of the answer of `POST explain`. Only operators get what is optional. */
export const explanation = z.looseObject({
  result: z.string(),
  sentence: z.string(),
  route: z.string().optional(),
  user: z.string().optional(),
  refs: z.array(z.string()).optional(),
  refsFrom: z.string().optional(),
  resource: z
    .looseObject({
      ref: z.string(),
      exists: z.boolean().optional(),
      problem: z.string().optional(),
      conditions: tree.optional(),
    })
    .optional(),
  record: z
    .looseObject({
      permission: z
        .looseObject({
          name: z.string(),
          attributes: z.looseObject({ action: z.string().optional() }),
          resourceType: z.string().optional(),
        })
        .optional(),
      conditions: tree.optional(),
      sources: z.array(
        z.looseObject({
          ...link,
          attempts: z
            .array(z.looseObject({ ...link, standby: z.boolean().optional() }))
            .optional(),
        }),
      ),
    })
    .optional(),
});
export type Explanation = z.output<typeof explanation>;
type Sources = NonNullable<Explanation['record']>['sources'];

/** The sentence, what was asked and by whom, what each source said, and the conditions. */
export function explanationLines(
  answer: Explanation,
  { style }: Pick<Io, 'style'>,
): string[] {
  const { sentence, user, refs, refsFrom, record, resource } = answer;
  const asked = record?.permission;
  const details = [asked?.attributes.action, asked?.resourceType].filter(
    each => each !== undefined,
  );
  const inParentheses = details.length > 0 ? ` (${details.join(', ')})` : '';
  const rows: Array<readonly [string, string | undefined]> = [
    ['user', record ? (user ?? 'none (anonymous)') : user],
    ['refs', refs && refsText(refs, refsFrom)],
    ['permission', asked && `${asked.name}${inParentheses}`],
    ['resource', resource?.ref],
    ['route', answer.route],
  ];
  return [
    style(styleOf(answer.result), answer.result) + rest(sentence, answer.result),
    '',
    ...rows.flatMap(([name, value]) =>
      value === undefined ? [] : [`  ${name.padEnd(10)}  ${escapeInvisible(value)}`],
    ),
    ...section('sources', sourceLines(record?.sources ?? [], style)),
    ...section('conditions', conditionLines(answer, style)),
  ];
}

/** The sentence begins with the result, or explains another one. */
const rest = (sentence: string, result: string): string => {
  const shown = escapeInvisible(sentence);
  return shown.startsWith(result) ? shown.slice(result.length) : `: ${shown}`;
};

const refsText = (refs: readonly string[], from: string | undefined): string => {
  const origin = from === 'catalog' ? ' (from the catalog)' : '';
  return refs.length === 0 ? 'none' : `${refs.join(', ')}${origin}`;
};

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`  ${title}`, ...lines.map(line => `    ${line}`)];

function sourceLines(sources: Sources, style: Style): string[] {
  const width = Math.max(...sources.map(({ source }) => source.length), 0);
  return sources.flatMap(({ source, verdict, milliseconds, ...said }) => {
    const time = milliseconds === undefined ? '' : `${milliseconds.toFixed(1)} ms`;
    const head = [
      source.padEnd(width),
      style(styleOf(verdict), verdict.padEnd('NOT_APPLICABLE'.length)),
      time.padStart(10),
      saidBy(said),
    ];
    const tried = said.attempts?.map(
      attempt =>
        `  ${attempt.standby ? 'standby ' : ''}${attempt.source}` +
        `${attempt.endpoint === undefined ? '' : ` at ${attempt.endpoint}`}: ${attempt.verdict}` +
        (attempt.failure ? ` (${failureText(attempt.failure)})` : ''),
    );
    return [head.join('  ').trimEnd(), ...(tried ?? []).map(escapeInvisible)];
  });
}

const saidBy = ({
  reason = '',
  failure,
}: Pick<Sources[number], 'reason' | 'failure'>) =>
  cut(escapeInvisible(reason || (failure ? failureText(failure) : '')), MAX_REASON);

const failureText = ({
  class: failureClass,
  code,
  message,
}: NonNullable<Sources[number]['failure']>): string =>
  `${failureClass}: ${message} [${code}]`;

function conditionLines({ resource, record }: Explanation, style: Style): string[] {
  if (resource?.problem !== undefined) return [escapeInvisible(resource.problem)];
  const conditions = resource?.conditions ?? record?.conditions;
  return conditions ? treeLines(conditions, style) : [];
}

/** One line for each group, negation and rule; with ✓ or ✗ where it is known, else with ?. */
export function treeLines(node: Tree, style: Style): string[] {
  if ('allOf' in node) return groupLines(node.allOf, 'all of', node, style);
  if ('anyOf' in node) return groupLines(node.anyOf, 'any of', node, style);
  if ('not' in node) return groupLines([node.not], 'not', node, style);
  const { met: isMet, ...rule } = node;
  return [`${mark(isMet, style)}${inWords(rule as unknown as Criteria, MAX_LEAF)}`];
}

function groupLines(
  children: readonly Tree[],
  words: 'all of' | 'any of' | 'not',
  { met: isMet }: Pick<Tree, 'met'>,
  style: Style,
): string[] {
  const lines = children.flatMap(child => treeLines(child, style));
  // A group of one is what is in it.
  if (children.length === 1 && words !== 'not') return lines;
  return [`${mark(isMet, style)}${words}`, ...lines.map(line => `  ${line}`)];
}

/** Without a resource nothing is met or not. */
function mark(isMet: Tree['met'], style: Style): string {
  if (isMet === undefined) return '- ';
  if (isMet === null) return '? ';
  return isMet ? `${style('green', '✓')} ` : `${style('red', '✗')} `;
}

function styleOf(result: string): Parameters<Style>[0] {
  switch (result) {
    case 'ALLOW':
      return 'green';
    case 'DENY':
      return 'red';
    default:
      return 'yellow';
  }
}
