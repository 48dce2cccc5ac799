import { AsyncLocalStorage } from 'node:async_hooks';
import { writeFile } from 'node:fs/promises';
import type { PolicyDecision } from '@backstage/plugin-permission-common';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import type { RouterConfig } from '../../src/config/types';
import { PublishedRules } from '../../src/conditions/published-rules';
import type { DecisionRecord } from '../../src/trace/record';
import { startRouter, type TestRouter } from '../support/router';
import type { QuietLogs } from './quiet-logs';
import {
  DEADLINE,
  routingFile,
  sourcesConfig,
  TABLES,
  type TableName,
  type WorldUrls,
} from './world';

/** One decision with its trace and the config that was in use when it began. */
export interface Decided {
  readonly decision: PolicyDecision;
  readonly table: TableName;
  readonly trace: Readonly<DecisionRecord> | undefined;
}

/** The router in this process, with a config that changes. */
export class SoakRouter {
  /** Reloads that changed something. */
  reloads = 0;
  private round = 0;
  private roundInUse = 0;
  private tableInUse: TableName = 'A';
  private router!: TestRouter;
  private readonly traceOf = new AsyncLocalStorage<{
    trace?: Readonly<DecisionRecord>;
  }>();

  private constructor(
    private readonly urls: WorldUrls,
    private readonly file: string,
    private readonly logs: QuietLogs,
  ) {}

  static async start(
    urls: WorldUrls,
    file: string,
    logs: QuietLogs,
  ): Promise<SoakRouter> {
    await writeFile(file, routingFile('A'));
    const soak = new SoakRouter(urls, file, logs);
    await soak.startRouter();
    return soak;
  }

  private async startRouter(): Promise<void> {
    const logger = this.logs.logger();
    this.router = await startRouter(settings(this.urls, this.file, 0), {
      logger,
      readRules: async () => OWNER_RULE,
      sinks: [
        trace => {
          const note = this.traceOf.getStore();
          if (note) note.trace = trace;
        },
      ],
      onReload: ({ config }) => {
        // The fallback identifies the table.
        this.tableInUse = config.fallback === TABLES.A.fallback ? 'A' : 'B';
        this.roundInUse = roundOf(config);
        this.reloads++;
        logger.info(IN_USE);
      },
    });
  }

  /** Rejects if `handle` does. */
  async decide(query: PolicyQuery, user: PolicyQueryUser): Promise<Decided> {
    const table = this.tableInUse;
    const note: { trace?: Readonly<DecisionRecord> } = {};
    const decision = await this.traceOf.run(note, () =>
      this.router.decide(query, user),
    );
    return { decision, table, trace: note.trace };
  }

  /** Replaces every source that has connections if the routing file is valid. */
  replaceSources(): void {
    this.router.change(settings(this.urls, this.file, ++this.round));
  }

  /** Makes the routing file valid, replaces the sources and waits until they are in use. */
  async renew(): Promise<void> {
    await writeFile(this.file, routingFile('A'));
    this.replaceSources();
    while (this.roundInUse % 2 !== this.round % 2) await this.logs.next(IN_USE);
  }

  /**
   * Lets `write` put the other table in place, and waits until it is in use.
   *
   * @throws Error if it is not in use in time.
   */
  async follow(write: (content: string) => Promise<void>): Promise<void> {
    const next: TableName = this.tableInUse === 'A' ? 'B' : 'A';
    await write(routingFile(next));
    try {
      while (this.tableInUse !== next) await this.logs.next(IN_USE);
    } catch (cause) {
      throw new Error('a valid routing file is not taken into use', { cause });
    }
  }

  close(): void {
    this.router.close();
  }
}

const IN_USE = 'The changed config is in use';

/** Whether the round is odd or even, as `sourcesConfig` writes it. */
function roundOf({ sources }: RouterConfig): number {
  const source = sources.get('closed');
  return source?.remote?.guard.concurrency ?? 0;
}

const settings = (urls: WorldUrls, file: string, round: number): object => ({
  routingFile: file,
  deadline: `${DEADLINE}ms`,
  sources: sourcesConfig(urls, round),
});

const OWNER_RULE = {
  kind: 'published',
  rules: new PublishedRules({
    rules: [
      {
        name: 'IS_ENTITY_OWNER',
        resourceType: 'catalog-entity',
        paramsSchema: {
          type: 'object',
          required: ['claims'],
          properties: { claims: { type: 'array', items: { type: 'string' } } },
          additionalProperties: false,
        },
      },
    ],
  }),
} as const;
