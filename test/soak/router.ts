import { AsyncLocalStorage } from 'node:async_hooks';
import { writeFile } from 'node:fs/promises';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type { PolicyDecision } from '@backstage/plugin-permission-common';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import { LiveConfig } from '../../src/config/live-config';
import type { RouterConfig } from '../../src/config/types';
import { PublishedRules } from '../../src/conditions/published-rules';
import { RuleDirectory } from '../../src/conditions/rule-directory';
import { PolicyRouter } from '../../src/policy';
import { Snapshot } from '../../src/snapshot';
import { warnOfFailures } from '../../src/trace/failure-log';
import { logTraces } from '../../src/trace/log';
import { warnOfLargeConditions } from '../../src/trace/size-log';
import type { DecisionTrace } from '../../src/trace/record';
import { ChangingConfig } from '../support/changing-config';
import type { QuietLogs } from './quiet-logs';
import {
  DEADLINE,
  routingFile,
  sourcesConfig,
  TABLES,
  type TableName,
  type WorldUrls,
} from './world';
import { BroughtSources } from '../../src/hosting/brought-sources';
import { NOTHING_BROUGHT } from '../../src/config/hosted';

/** One decision, with what was in force when it began and its own trace. */
export interface Decided {
  readonly decision: PolicyDecision;
  readonly table: TableName;
  readonly trace: DecisionTrace | undefined;
}

/** The router in this process, put together as src/module.ts does it, on a config that changes. */
export class SoakRouter {
  /** Reloads that changed something. */
  reloads = 0;
  private round = 0;
  private roundInUse = 0;
  private tableInUse: TableName = 'A';
  private router!: PolicyRouter;
  private readonly traceOf = new AsyncLocalStorage<{ trace?: DecisionTrace }>();

  private constructor(
    private readonly config: ChangingConfig,
    private readonly live: LiveConfig,
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
    const config = new ChangingConfig(settings(urls, file, 0));
    const logger = logs.logger();
    const live = new LiveConfig(config.service, logger, NOTHING_BROUGHT);
    const soak = new SoakRouter(config, live, urls, file, logs);
    await soak.build(logger);
    return soak;
  }

  private async build(logger: LoggerService): Promise<void> {
    const { config } = await this.live.first();
    const lasting = {
      logger,
      ruleDirectory: new RuleDirectory(async () => OWNER_RULE, logger),
      brought: new BroughtSources(),
    };
    let snapshot = await Snapshot.build(config, lasting);
    this.router = new PolicyRouter(
      snapshot,
      { getUserInfo: () => Promise.reject(new Error('every user comes with info')) },
      [
        logTraces(logger),
        warnOfFailures(logger),
        warnOfLargeConditions(logger),
        trace => {
          const note = this.traceOf.getStore();
          if (note) note.trace = trace;
        },
      ],
    );
    this.live.watch(async read => {
      snapshot = await Snapshot.build(read.config, lasting, snapshot);
      this.router.swap(snapshot);
      // Known by what only one of the tables says.
      this.tableInUse = read.config.fallback === TABLES.A.fallback ? 'A' : 'B';
      this.roundInUse = roundOf(read.config);
      this.reloads++;
      logger.info(IN_USE);
    });
  }

  /** Rejects if `handle` does. */
  async decide(query: PolicyQuery, user: PolicyQueryUser): Promise<Decided> {
    const table = this.tableInUse;
    const note: { trace?: DecisionTrace } = {};
    const decision = await this.traceOf.run(note, () =>
      this.router.handle(query, user),
    );
    return { decision, table, trace: note.trace };
  }

  /** Replaces every source that has connections, if the routing file is valid. */
  replaceSources(): void {
    this.config.change(settings(this.urls, this.file, ++this.round));
  }

  /** Makes the routing file valid, replaces the sources, and waits until that is in use. */
  async renew(): Promise<void> {
    await writeFile(this.file, routingFile('A'));
    this.replaceSources();
    while (this.roundInUse % 2 !== this.round % 2) await this.logs.next(IN_USE);
  }

  close(): void {
    this.live.stop();
    this.router.close();
  }
}

const IN_USE = 'The changed config is in use';

/** Odd or even, as `sourcesConfig` writes it. */
function roundOf({ sources }: RouterConfig): number {
  const source = sources.get('closed');
  return source?.type === 'opa' ? source.guard.concurrency : 0;
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
