import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Conditions } from '../verdict';
import { rulesProblem } from './check';
import type { RuleMetadata } from './rule-metadata';

/** Milliseconds until a plugin that could not be asked is asked again. */
export const ASK_AGAIN_AFTER = 10_000;

/** Conditions that are written in the config. */
export interface WrittenConditions {
  /** Where, such as `rules[0]`. */
  readonly place: string;
  readonly pluginId: string;
  /** Those that they may be applied to; absent: any. */
  readonly resourceTypes?: readonly string[] | undefined;
  /** For a resource of this type. */
  readonly conditionsFor: (resourceType: string) => Conditions;
}

/**
 * Warns of written conditions that their plugin cannot apply, once its rules are known: without
 * that, a misspelt rule is noticed only when somebody is denied. It asks one plugin after the
 * other in the background, and again those that cannot be asked. What it reads stays out of the rule
 * directory: a plugin that it asks too early must not count as one that cannot be asked.
 */
export class WrittenCheck {
  /** By the id of their plugin. */
  private pending = new Map<string, WrittenConditions[]>();
  private timer: NodeJS.Timeout | undefined;

  /** @param readMetadata - asks a plugin; never rejects, and settles within its own timeout. */
  constructor(
    private readonly readMetadata: (pluginId: string) => Promise<RuleMetadata>,
    private readonly logger: LoggerService,
  ) {}

  /** Replaces the conditions that it looks at. It warns of each of them once. */
  begin(written: readonly WrittenConditions[]): void {
    this.stop();
    for (const each of written) {
      const known = this.pending.get(each.pluginId);
      if (known) known.push(each);
      else this.pending.set(each.pluginId, [each]);
    }
    this.run();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.pending = new Map();
  }

  private run(): void {
    // Nothing depends on it, so whatever goes wrong may not end the process.
    this.look(this.pending).catch(() => {});
  }

  private async look(pending: Map<string, WrittenConditions[]>): Promise<void> {
    for (const [pluginId, written] of [...pending]) {
      const metadata = await this.readMetadata(pluginId);
      if (pending !== this.pending) return;
      if (metadata.kind === 'unread') continue;
      pending.delete(pluginId);
      for (const each of written) this.warnOf(each, metadata);
    }
    if (pending.size === 0) return;
    this.timer = setTimeout(() => this.run(), ASK_AGAIN_AFTER).unref();
  }

  private warnOf(written: WrittenConditions, metadata: RuleMetadata): void {
    const problem = writtenProblem(written, metadata);
    if (problem === undefined) return;
    this.logger.warn(
      `${written.place}: these conditions cannot be applied, so what they decide is denied: ${problem}`,
    );
  }
}

/** Undefined if the plugin can apply them to a resource of at least one type. */
function writtenProblem(
  { pluginId, resourceTypes, conditionsFor }: WrittenConditions,
  metadata: RuleMetadata,
): string | undefined {
  const published = metadata.kind === 'published' ? metadata.rules.resourceTypes : [];
  // A plugin without rules has none for any type.
  const types = resourceTypes ?? (published.length > 0 ? published : ['any']);
  const problems = types.map(resourceType => {
    const verdict = { pluginId, resourceType, conditions: conditionsFor(resourceType) };
    return rulesProblem(verdict, metadata, true)?.failure.message;
  });
  return resourceTypes
    ? problems.find(problem => problem !== undefined)
    : problems.includes(undefined)
      ? undefined
      : problems[0];
}
