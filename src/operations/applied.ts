/**
 * Conditions as the plugin that owns them evaluates them for one resource: it is asked about the
 * whole and about every rule in it, at the endpoint that Backstage itself asks after a decision.
 */
import stringify from 'safe-stable-stringify';
import { z } from 'zod';
import { leavesOf } from '../conditions/tree';
import { settleWithin } from '../lib/deadline';
import { errorName } from '../lib/foreign-error';
import type { AskPlugin } from '../lib/plugin-request';
import type { Conditional, Criteria } from '../verdict';

/** For all requests together, in milliseconds. */
const TIMEOUT = 5000;
const MAX_ANSWER_BYTES = 1_048_576;
/** Of one request; Backstage accepts 100 kB. */
const MAX_REQUEST_BYTES = 90_000;
/** Rules that are evaluated one by one. */
const MAX_RULES = 500;

/** Conditions, and whether each part is met; `null` where that is unknown. */
export type MetConditions = { readonly met: boolean | null } & (
  | { readonly allOf: readonly MetConditions[] }
  | { readonly anyOf: readonly MetConditions[] }
  | { readonly not: MetConditions }
  | {
      readonly rule: string;
      readonly resourceType: string;
      readonly params?: unknown;
    }
);

export type Applied =
  | {
      readonly kind: 'applied';
      /** What Backstage answers for this resource. */
      readonly result: 'ALLOW' | 'DENY';
      readonly conditions: MetConditions;
      /** Set if the plugin does not know the resource. Then it is DENY, whatever the conditions. */
      readonly isUnknown: boolean;
    }
  /** The plugin cannot apply them; Backstage's own answer would be an error too. */
  | { readonly kind: 'failed'; readonly why: string };

type Decision = Pick<Conditional, 'pluginId' | 'resourceType' | 'conditions'>;

interface Item {
  readonly id: string;
  readonly conditions: Criteria;
}

const WHOLE = 'whole';
/** A rule and its opposite are both DENY only for a resource that does not exist. */
const OPPOSITE = 'opposite';

/**
 * Never rejects.
 *
 * @param isDetailed - whether each rule is evaluated too.
 */
export async function applyConditions(
  { pluginId, resourceType, conditions }: Decision,
  resourceRef: string,
  askPlugin: AskPlugin,
  isDetailed: boolean,
): Promise<Applied> {
  const rules = new Map(leavesOf(conditions).map(rule => [keyOf(rule), rule]));
  const known = isDetailed ? [...rules].slice(0, MAX_RULES) : [];
  const [first] = known;
  const items: Item[] = [
    { id: WHOLE, conditions },
    ...(first ? [{ id: OPPOSITE, conditions: { not: first[1] } }] : []),
    ...known.map(([id, rule]) => ({ id, conditions: rule })),
  ];
  const abort = new AbortController();
  const ask = async (): Promise<Applied> => {
    const results = new Map<string, 'ALLOW' | 'DENY'>();
    for (const batch of batches(items)) {
      const body = JSON.stringify({
        items: batch.map(each => ({ ...each, resourceRef, resourceType })),
      });
      const answers = await post(pluginId, body, abort.signal, askPlugin);
      if (typeof answers === 'string') return { kind: 'failed', why: answers };
      for (const { id, result } of answers) results.set(id, result);
    }
    const result = results.get(WHOLE);
    if (!result) return { kind: 'failed', why: 'its answer is incomplete' };
    const isUnknown =
      first !== undefined &&
      results.get(first[0]) === 'DENY' &&
      results.get(OPPOSITE) === 'DENY';
    const met = (rule: Criteria): boolean | null => {
      const said = results.get(keyOf(rule));
      return isUnknown || said === undefined ? null : said === 'ALLOW';
    };
    return { kind: 'applied', result, conditions: withMet(conditions, met), isUnknown };
  };
  const late = (): Applied => {
    abort.abort();
    return { kind: 'failed', why: `no answer within ${TIMEOUT} ms` };
  };
  const asked = ask().catch((error: unknown): Applied => ({
    kind: 'failed',
    why: errorName(error) ?? 'an unknown error',
  }));
  return settleWithin(asked, TIMEOUT, late);
}

const keyOf = (rule: Criteria): string => stringify(rule) ?? '';

/** In requests that Backstage accepts; one item that is too large is a request of its own. */
function batches(items: readonly Item[]): Item[][] {
  const all: Item[][] = [];
  let room = 0;
  for (const item of items) {
    // The resource ref, at most 1000 characters, is sent with each item.
    const bytes = Buffer.byteLength(JSON.stringify(item)) + 1500;
    if (room < bytes) {
      all.push([]);
      room = MAX_REQUEST_BYTES;
    }
    all.at(-1)!.push(item);
    room -= bytes;
  }
  return all;
}

const results = z.object({
  items: z.array(z.object({ id: z.string(), result: z.enum(['ALLOW', 'DENY']) })),
});

/** @returns the answers, or the reason why the plugin gave none. */
async function post(
  pluginId: string,
  body: string,
  signal: AbortSignal,
  askPlugin: AskPlugin,
): Promise<z.output<typeof results>['items'] | string> {
  const path = '/.well-known/backstage/permissions/apply-conditions';
  const request = { path, body, signal, maxBytes: MAX_ANSWER_BYTES };
  const { status, text } = await askPlugin(pluginId, request);
  if (status === 501)
    return 'it evaluates no conditions for a single resource (HTTP 501)';
  if (status !== 200) return `HTTP ${status}`;
  if (text === undefined) return 'its answer is too long';
  try {
    return results.parse(JSON.parse(text)).items;
  } catch {
    return 'its answer is not that of a permission integration';
  }
}

function withMet(
  node: Criteria,
  metOf: (rule: Criteria) => boolean | null,
): MetConditions {
  if ('allOf' in node) {
    const allOf = node.allOf.map(child => withMet(child, metOf));
    return { met: every(allOf), allOf };
  }
  if ('anyOf' in node) {
    const anyOf = node.anyOf.map(child => withMet(child, metOf));
    const none = every(anyOf.map(({ met }) => ({ met: opposite(met) })));
    return { met: opposite(none), anyOf };
  }
  if ('not' in node) {
    const not = withMet(node.not, metOf);
    return { met: opposite(not.met), not };
  }
  const { rule, resourceType, params } = node;
  return {
    met: metOf(node),
    rule,
    resourceType,
    ...(params === undefined ? {} : { params }),
  };
}

/** Kleene's AND: one false decides, else one unknown. */
function every(parts: ReadonlyArray<{ readonly met: boolean | null }>): boolean | null {
  if (parts.some(({ met }) => met === false)) return false;
  return parts.some(({ met }) => met === null) ? null : true;
}

const opposite = (met: boolean | null): boolean | null => (met === null ? null : !met);
