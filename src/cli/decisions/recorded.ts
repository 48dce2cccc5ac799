/** Decisions as the audit and the operations API write them, read again. */
import { z } from 'zod';
import type { Criteria } from '../../verdict';
import { readDocuments } from './documents';

const RESULTS = ['ALLOW', 'DENY', 'CONDITIONAL'] as const;
const result = z.enum(RESULTS);

const permission = z.object({
  name: z.string(),
  type: z.enum(['basic', 'resource']),
  action: z.string().optional(),
  resourceType: z.string().optional(),
});

const failure = z.object({ class: z.string(), code: z.string() });

const conditional = {
  conditions: z.custom<Criteria>(value => typeof value === 'object').optional(),
};

/** The fields that both have; docs/audit.md and docs/openapi.yaml describe them. */
const decision = z.object({
  at: z.string(),
  user: z.string().optional(),
  /** As it was decided. */
  permission,
  /** As it was asked, if it was another question. */
  asked: permission.optional(),
  result,
  /** Undefined if it was decided before routing. */
  route: z.string().optional(),
  reason: z.string().default(''),
  failure: failure.optional(),
  sources: z.array(
    z.object({ source: z.string(), verdict: z.string(), failure: failure.optional() }),
  ),
  refs: z.array(z.string()).optional(),
  refsLeftOut: z.number().optional(),
  withoutResource: z.boolean().optional(),
  /** Of an answer of the API. */
  outage: z.boolean().optional(),
  ...conditional,
  /** Set if it was only recorded: what was given in its place. */
  observed: z.object({ answer: z.string(), result, ...conditional }).optional(),
});

/** A decision that was made. */
export type Recorded = Readonly<z.output<typeof decision>>;

/** Lines and values that are no decision. */
export interface Skipped {
  /** Not of the audit of the policy router, and no answer of its API. */
  otherLines: number;
  /** Of the audit, but no decision: an outage, or a changed table. */
  otherEvents: number;
  /** Decisions that cannot be read, such as those on a request without a permission. */
  unreadable: number;
}

/** What a file has: the decisions, and how much else. */
export class Decisions {
  /** Complete once all decisions are read. */
  readonly skipped: Skipped = { otherLines: 0, otherEvents: 0, unreadable: 0 };

  constructor(private readonly paths: readonly string[]) {}

  /**
   * One after the other, however many there are.
   *
   * @throws CliError if a file cannot be read.
   */
  async *all(): AsyncGenerator<Recorded> {
    for (const path of this.paths) {
      for await (const document of readDocuments(path)) {
        if (document.kind === 'other') this.skipped.otherLines++;
        else yield* this.decisionsIn(document.value);
      }
    }
  }

  private *decisionsIn(value: unknown): Generator<Recorded> {
    if (Array.isArray(value)) {
      for (const item of value) yield* this.decisionsIn(item);
      return;
    }
    const said = contentOf(value);
    if (!said) this.skipped.otherLines++;
    for (const each of said ?? []) {
      if (each === OTHER_EVENT) this.skipped.otherEvents++;
      else yield* this.read(each);
    }
  }

  private *read(value: unknown): Generator<Recorded> {
    const { data } = decision.safeParse(value);
    if (data) yield data;
    else this.skipped.unreadable++;
  }
}

const OTHER_EVENT = Symbol('an event that is no decision');

/** The decisions of a line or an answer; undefined if it has nothing to do with the router. */
function contentOf(value: unknown): readonly unknown[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if ('isAuditEvent' in value) {
    const { plugin, eventId, status, meta } = value as Record<string, unknown>;
    if (value.isAuditEvent !== true || plugin !== 'permission') return undefined;
    // Backstage may log an event twice; what it says is in the second line.
    if (status !== 'succeeded') return [];
    return [eventId === 'decision' ? meta : OTHER_EVENT];
  }
  // The content of an event, as the audit's page picks it out of the log.
  if ('schemaVersion' in value)
    return ['result' in value && 'reason' in value ? value : OTHER_EVENT];
  // Lines of the log may have a `decision` too.
  if (!('replica' in value)) return undefined;
  if ('decisions' in value && Array.isArray(value.decisions))
    return value.decisions as unknown[];
  return 'decision' in value ? [value.decision] : undefined;
}

/**
 * Whether a source was unavailable or overloaded, so that the answer need not be that of the policy.
 */
export const isOfOutage = ({ outage, failure: own, sources }: Recorded): boolean =>
  outage === true ||
  [own, ...sources.map(source => source.failure)].some(
    each => each !== undefined && each.class !== 'invalid',
  );
