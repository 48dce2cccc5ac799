import { coalesced } from './coalesced';

/**
 * Why something cannot be loaded, if that may pass without a change that would be noticed: a file
 * server that does not answer, for example. An error with such a `cause` is one too.
 */
export class PassingProblem extends Error {}

export interface ReloadSteps<T> {
  /**
   * What it is now; `inUse` itself if nothing has changed.
   *
   * @throws Error that says why it cannot be used; after a `PassingProblem` it is loaded again.
   */
  load(inUse: T): Promise<T>;
  /**
   * Takes it into use.
   *
   * @throws Error that says why it cannot; the last good one must then still be in use.
   */
  use?(next: T): Promise<void>;
  /** It is good: it has changed, or it was rejected before, or both. */
  accepted(how: { readonly changed: boolean; readonly recovered: boolean }): void;
  /** It is not used, and the last good one stays. Called once for each problem. */
  rejected(problem: string): void;
  /**
   * Milliseconds after which it is loaded again if `use` has thrown, or `load` a `PassingProblem`;
   * default: never.
   */
  readonly retryAfter?: number;
}

type State<T> =
  | { readonly kind: 'good'; readonly inUse: T }
  | { readonly kind: 'rejected'; readonly inUse: T; readonly problem: string }
  | { readonly kind: 'stopped'; readonly inUse: T };

/** Something that changes while we run, such as a file; while it is bad, the last good one stays. */
export class LastGood<T> {
  private state: State<T>;
  private retry: NodeJS.Timeout | undefined;

  constructor(
    first: T,
    private readonly steps: ReloadSteps<T>,
  ) {
    this.state = { kind: 'good', inUse: first };
  }

  get inUse(): T {
    return this.state.inUse;
  }

  /** Why what was loaded last is not used; undefined if it is. */
  get problem(): string | undefined {
    return this.state.kind === 'rejected' ? this.state.problem : undefined;
  }

  /** Loads it again, once at a time. May be called at any time, as often as it may have changed. */
  readonly reload = coalesced(() => this.run());

  /** Nothing is loaded any more; what is in use stays. */
  stop(): void {
    clearTimeout(this.retry);
    this.state = { kind: 'stopped', inUse: this.inUse };
  }

  private async run(): Promise<void> {
    clearTimeout(this.retry);
    if (this.isStopped()) return;
    try {
      const next = await this.steps.load(this.inUse);
      if (this.isStopped()) return;
      const changed = next !== this.inUse;
      if (changed) await this.use(next);
      this.accept(next, changed);
    } catch (error) {
      if (mayPass(error)) this.tryAgain();
      this.reject(error instanceof Error ? error.message : String(error));
    }
  }

  private async use(next: T): Promise<void> {
    try {
      await this.steps.use?.(next);
    } catch (error) {
      this.tryAgain();
      throw error;
    }
  }

  private tryAgain(): void {
    const { retryAfter } = this.steps;
    if (retryAfter === undefined || this.isStopped()) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(this.reload, retryAfter).unref();
  }

  private accept(inUse: T, changed: boolean): void {
    const recovered = this.state.kind === 'rejected';
    this.state = { kind: this.isStopped() ? 'stopped' : 'good', inUse };
    if (changed || recovered) this.steps.accepted({ changed, recovered });
  }

  private reject(problem: string): void {
    const { state } = this;
    if (state.kind === 'stopped') return;
    if (state.kind === 'rejected' && state.problem === problem) return;
    this.state = { kind: 'rejected', inUse: state.inUse, problem };
    this.steps.rejected(problem);
  }

  private isStopped(): boolean {
    return this.state.kind === 'stopped';
  }
}

const mayPass = (error: unknown): boolean =>
  error instanceof PassingProblem ||
  (error instanceof Error && error.cause instanceof PassingProblem);
