import type { FailureClass } from '../../src/verdict';
import { GENEROUS_TIMEOUT, TIMEOUT } from './settings';

/** Each question is put to a source that fails closed and to one that fails open. */
export const MODES = ['closed', 'open'] as const;
export type Mode = (typeof MODES)[number];

export type Result = 'ALLOW' | 'DENY';

/** The server at the other end: an OPA, or a stub for what OPA itself would not do. */
export interface Peer {
  /** Config of the sources that ask it, which overrides that of the matrix; without a timeout. */
  readonly source: object;
  stop(): Promise<void>;
}

/** The expected outcome of a row. */
export interface Outcome {
  readonly closed: Result;
  readonly open: Result;
  /** Absent if no failure is expected; several codes if the operating system decides a race. */
  readonly failure?: {
    readonly class: FailureClass;
    readonly codes: readonly string[];
  };
}

/** Puts one more question to the source of this mode, besides the four of the row. */
export type Ask = (mode: Mode) => Promise<unknown>;

export interface Row<P> {
  /** Completes "an OPA that"; the first cell of its row in docs/fault-table.md. */
  readonly name: string;
  readonly outcome: Outcome;
  /** Makes the peer do it, with the backend already running. */
  readonly before?: (peer: P, ask: Ask) => unknown;
  /** Checks more than the outcome. */
  readonly after?: (peer: P) => unknown;
  /** The permission type of the question; by default a resource permission on an entity. */
  readonly type?: 'basic' | 'resource';
  /** Whether a signed-in user asks (the default) or a request without a user. */
  readonly asker?: 'user' | 'nobody';
}

/** One peer and what it does, in this order; all rows use the same connections. */
export interface Scene {
  readonly needsOpa: boolean;
  /** The timeout of the sources that ask the peer, in milliseconds. */
  readonly timeout: number;
  /** Whether a row takes the whole timeout. */
  readonly hangs: boolean;
  start(): Promise<Peer>;
  readonly rows: readonly SceneRow[];
}

/** A row bound to its peer. */
export interface SceneRow extends Omit<Row<never>, 'before' | 'after'> {
  before(ask: Ask): unknown;
  after(): unknown;
}

export interface Chapter {
  /** The heading above these rows in docs/fault-table.md, after "An OPA that". */
  readonly title: string;
  readonly scenes: readonly Scene[];
}

export function scene<P extends Peer>(
  start: () => Promise<P>,
  rows: ReadonlyArray<Row<P>>,
  needsOpa = false,
): Scene {
  let peer: P;
  const hangs = rows.some(({ outcome }) =>
    outcome.failure?.codes.some(code => TIMEOUT_CODES.has(code)),
  );
  return {
    needsOpa,
    // Short if the test waits for the timeout, long if the answer must come before it.
    timeout: hangs ? TIMEOUT : GENEROUS_TIMEOUT,
    hangs,
    start: async () => (peer = await start()),
    rows: rows.map(row => ({
      ...row,
      before: ask => row.before?.(peer, ask),
      after: () => row.after?.(peer),
    })),
  };
}

/** The failure codes that appear once a timeout has passed. */
export const TIMEOUT_CODES: ReadonlySet<string> = new Set([
  'TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** OPA cannot be reached, or is gone before it answers: the only class that fail-open allows. */
export const outage = (...codes: string[]): Outcome => ({
  closed: 'DENY',
  open: 'ALLOW',
  failure: { class: 'unavailable', codes },
});

export const overload = (...codes: string[]): Outcome => ({
  closed: 'DENY',
  open: 'DENY',
  failure: { class: 'overloaded', codes },
});

export const invalid = (...codes: string[]): Outcome => ({
  closed: 'DENY',
  open: 'DENY',
  failure: { class: 'invalid', codes },
});

/**
 * The peer's own answer. It is the opposite of what the failure mode gives, so that the two
 * cannot be confused.
 */
export const decides: Outcome = { closed: 'ALLOW', open: 'DENY' };

/** The opposite, before a change of policy. */
export const decidesReversed: Outcome = { closed: 'DENY', open: 'ALLOW' };
