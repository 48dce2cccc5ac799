/**
 * Compares decisions, after they have been answered, with what another source in place of one of
 * their own would make of them. Nothing of it reaches a caller, and none of it is a decision.
 */
import { AsyncResource } from 'node:async_hooks';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type { RouterConfig, Shadow } from '../config/types';
import type { ChainAnswer } from '../guard/chain';
import { attempt } from '../lib/attempt';
import { canonical } from '../lib/canonical';
import { Deadline } from '../lib/deadline';
import type { ReadyRoute, ReadyShadow, Snapshot } from '../snapshot';
import type { TraceSink } from '../trace/record';
import { compare, type Comparable, type Outcome } from './compare';
import { Kept, type Counts, type Difference } from './kept';

/** Comparisons under way at once; more are skipped. */
export const MAX_UNDER_WAY = 64;

/** A decision of a route with sources that are compared. */
export interface ShadowedDecision extends Omit<Comparable, 'answers'> {
  readonly snapshot: Pick<Snapshot, 'config' | 'use' | 'isReleased' | 'endShadows'>;
  readonly route: Pick<ReadyRoute, 'combine' | 'default' | 'shadows'>;
}

interface Prepared extends ShadowedDecision {
  readonly answers: Map<string, ChainAnswer>;
  /** Those that this decision is compared with. */
  readonly chosen: readonly ReadyShadow[];
  /** Where the outcome belongs, unless the config is changed. */
  readonly kept: Kept;
}

/** A comparison under way. */
interface Run {
  readonly snapshot: ShadowedDecision['snapshot'];
  isOver: boolean;
  end: () => void;
}

export type Counted = 'same' | 'differs' | 'undetermined' | 'skipped';

export interface ShadowStatus {
  /** By the name of the source that is replaced. */
  readonly shadows: ReadonlyMap<string, Shadow>;
  /** Since when it is counted. */
  readonly since: Date;
  readonly counts: readonly Readonly<Counts>[];
  /** The latest, newest last. */
  readonly differences: readonly Difference[];
}

export interface ShadowServices {
  readonly logger: Pick<LoggerService, 'warn'>;
  /** Told of every outcome, for the metrics. */
  readonly counted: (route: string, outcome: Counted) => void;
}

export class Shadows {
  private kept = new Kept();
  /** Gone with its record, should that never be delivered. */
  private readonly prepared = new WeakMap<object, Prepared>();
  private readonly running = new Set<Run>();
  /** Routes whose first difference has been logged. */
  private readonly warned = new Set<string>();
  /** Comparisons belong to no request of a caller. */
  private readonly outside = new AsyncResource('PolicyRouterShadow');
  private isClosed = false;

  constructor(
    private shadows: RouterConfig['shadow'],
    private readonly services: ShadowServices,
  ) {}

  get status(): ShadowStatus {
    const { since, counts, differences } = this.kept;
    return { shadows: this.shadows, since, counts, differences };
  }

  /**
   * For a decision that is about to be made.
   *
   * @returns where the answers of its sources belong; undefined if it is not compared.
   */
  prepare(decision: ShadowedDecision): Map<string, ChainAnswer> | undefined {
    const isOutdated = decision.snapshot.config.shadow !== this.shadows;
    if (this.isClosed || isOutdated) return undefined;
    const chosen = decision.route.shadows.filter(
      ({ percent }) => percent === 100 || Math.random() * 100 < percent,
    );
    if (chosen.length === 0) return undefined;
    const answers = new Map<string, ChainAnswer>();
    const { kept } = this;
    this.prepared.set(decision.record, { ...decision, answers, chosen, kept });
    return answers;
  }

  /** Gets each record once the decision has been answered. */
  readonly sink: TraceSink = record => {
    const prepared = this.prepared.get(record);
    if (!prepared) return;
    this.prepared.delete(record);
    for (const shadow of prepared.chosen) this.begin(prepared, shadow);
  };

  /** With a changed config; the counts go on if it compares the same sources. */
  use({ shadow, routes }: Pick<RouterConfig, 'shadow' | 'routes'>): void {
    this.warned.clear();
    if (canonical(shadow) === canonical(this.shadows)) {
      this.kept.keepRoutes(new Set(routes.map(({ label }) => label)));
    } else {
      this.kept = new Kept();
    }
    this.shadows = shadow;
  }

  /** From now on nobody is asked and nothing is recorded. */
  close(): void {
    this.isClosed = true;
    for (const run of this.running) {
      run.isOver = true;
      run.snapshot.endShadows();
      run.end();
    }
    this.running.clear();
  }

  private begin(prepared: Prepared, shadow: ReadyShadow): void {
    if (this.isClosed) return;
    if (this.running.size >= MAX_UNDER_WAY) {
      this.add(prepared, shadow, { kind: 'skipped' });
      return;
    }
    const run: Run = { snapshot: prepared.snapshot, isOver: false, end: () => {} };
    this.running.add(run);
    setImmediate(() =>
      this.outside.runInAsyncScope(() => void this.run(run, prepared, shadow)),
    );
  }

  /** Never rejects. The sources stay open until it ends. */
  private async run(run: Run, prepared: Prepared, shadow: ReadyShadow): Promise<void> {
    if (run.isOver) return;
    const { snapshot } = run;
    if (snapshot.isReleased) this.add(prepared, shadow, { kind: 'skipped' });
    else {
      await snapshot.use(
        () =>
          new Promise<void>(resolve => {
            run.end = resolve;
            void this.outcomeOf(run, prepared, shadow).then(outcome => {
              if (!run.isOver) this.add(prepared, shadow, outcome);
              resolve();
            });
          }),
      );
    }
    this.running.delete(run);
  }

  private async outcomeOf(
    run: Run,
    prepared: Prepared,
    shadow: ReadyShadow,
  ): Promise<Outcome> {
    try {
      const deadline = new Deadline(run.snapshot.config.deadline);
      return await compare(prepared, shadow, deadline, () => run.isOver);
    } catch {
      return { kind: 'undetermined', why: 'shadow_failure' };
    }
  }

  private add(
    { kept, record }: Prepared,
    { replaced, by }: ReadyShadow,
    outcome: Outcome | { readonly kind: 'skipped' },
  ): void {
    // The config compares other sources by now.
    if (kept !== this.kept) return;
    const route = record.route!;
    kept.add({ replaced, by }, record, outcome);
    attempt(() => this.services.counted(route, outcome.kind));
    if (outcome.kind !== 'differs' || this.warned.has(route)) return;
    this.warned.add(route);
    attempt(() =>
      this.services.logger.warn(
        `${route}: '${by}' in place of '${replaced}' decides differently. Nobody is affected. ` +
          'GET shadow lists the differences; further ones of this route are not logged',
      ),
    );
  }
}
