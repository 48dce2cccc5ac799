import type { FailureClass } from '../../src/verdict';
import { GENEROUS_TIMEOUT, TIMEOUT } from './settings';

/** Each question is asked of a source that fails closed, and of one that fails open. */
export const MODES = ['closed', 'open'] as const;
export type Mode = (typeof MODES)[number];

export type Result = 'ALLOW' | 'DENY';

/** The server at the other end: an OPA, or a stub for what OPA itself will not do. */
export interface Peer {
  /** Config of the sources that ask it, over that of the matrix; without a timeout. */
  readonly source: object;
  stop(): Promise<void>;
}

/** What must come of a row. */
export interface Outcome {
  readonly closed: Result;
  readonly open: Result;
  /** Absent where no failure is to be seen; several codes where the race is the system's. */
  readonly failure?: {
    readonly class: FailureClass;
    readonly codes: readonly string[];
  };
}

/** Puts one more question to the source of this mode, past the four of the row. */
export type Ask = (mode: Mode) => Promise<unknown>;

export interface Row<P> {
  /** Goes on from "an OPA that"; the first cell of its row in docs/fault-table.md. */
  readonly name: string;
  readonly outcome: Outcome;
  /** Brings the peer to do it, with the backend already running. */
  readonly before?: (peer: P, ask: Ask) => unknown;
  /** Expects more than the outcome. */
  readonly after?: (peer: P) => unknown;
  /** Of the question; an entity of the catalog unless said otherwise. */
  readonly type?: 'basic' | 'resource';
  /** Who asks: a user who is signed in, or nobody. */
  readonly asker?: 'user' | 'nobody';
}

/** One peer, and what it does, in this order; all rows are asked over the same connections. */
export interface Scene {
  readonly needsOpa: boolean;
  /** Of the sources that ask the peer, in milliseconds. */
  readonly timeout: number;
  /** Whether some row takes all of the timeout. */
  readonly hangs: boolean;
  start(): Promise<Peer>;
  readonly rows: readonly SceneRow[];
}

/** A row that knows its peer. */
export interface SceneRow extends Omit<Row<never>, 'before' | 'after'> {
  before(ask: Ask): unknown;
  after(): unknown;
}

export interface Chapter {
  /** Heads the rows of these scenes in docs/fault-table.md. */
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
    outcome.failure?.codes.some(code => BY_THE_CLOCK.has(code)),
  );
  return {
    needsOpa,
    // Short where the timeout is waited for, long where it must not pass before the answer.
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

/** The codes of what ends by the clock. */
export const BY_THE_CLOCK: ReadonlySet<string> = new Set([
  'TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Nobody there, or gone before the answer: the one class that fail-open opens. */
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
 * The peer's own answer. It is the contrary of what the failure mode gives, so that it cannot
 * be taken for it.
 */
export const decides: Outcome = { closed: 'ALLOW', open: 'DENY' };

/** The other way round, before a change of policy. */
export const decidesReversed: Outcome = { closed: 'DENY', open: 'ALLOW' };
