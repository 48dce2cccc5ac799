import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startSampleBackend, type SampleBackend } from '../../dev/backend';
import { appConfig } from '../support/app-config';
import type { QuietLogs } from './quiet-logs';
import { Timeline } from './timeline';
import {
  DEADLINE,
  type PERSONAS,
  routingFile,
  sourcesConfig,
  type TableName,
  type WorldUrls,
} from './world';

const IN_USE = 'The changed config is in use';

/** A real Backstage backend whose table changes; knows the possible tables over time. */
export class SoakBackend {
  readonly tables = new Timeline<TableName>('A');
  reloads = 0;
  private round = 0;

  private constructor(
    private readonly backend: SampleBackend,
    private readonly logs: QuietLogs,
    private readonly folder: string,
    private readonly urls: WorldUrls,
    readonly tokens: Readonly<Record<keyof typeof PERSONAS, string>>,
  ) {}

  /** @param folder - for its config files. */
  static async start(
    urls: WorldUrls,
    folder: string,
    logs: QuietLogs,
  ): Promise<SoakBackend> {
    await writeFile(join(folder, 'routing.yaml'), routingFile('A'));
    await writeFile(join(folder, 'app-config.yaml'), configOf(urls, folder, 0));
    const backend = await startSampleBackend({
      configFiles: [join(folder, 'app-config.yaml')],
      features: [logs.feature()],
    });
    const tokens = {
      olivia: await backend.signIn('olivia'),
      nolan: await backend.signIn('nolan'),
      petra: await backend.signIn('petra'),
    };
    return new SoakBackend(backend, logs, folder, urls, tokens);
  }

  get url(): string {
    return this.backend.url;
  }

  /** Writes the other table, and waits until it is in use. */
  async reload(): Promise<void> {
    const [before] = this.tables.now();
    const next: TableName = before === 'A' ? 'B' : 'A';
    const used = this.logs.next(IN_USE);
    this.tables.set('A', 'B');
    await writeFile(join(this.folder, 'routing.yaml'), routingFile(next));
    await used;
    this.tables.set(next);
    this.reloads++;
  }

  /** Replaces every source that has connections. */
  async replaceSources(): Promise<void> {
    const used = this.logs.next(IN_USE);
    await writeFile(
      join(this.folder, 'app-config.yaml'),
      configOf(this.urls, this.folder, ++this.round),
    );
    await used;
  }

  async stop(): Promise<void> {
    await this.backend.stop();
  }
}

const configOf = (urls: WorldUrls, folder: string, round: number): string =>
  appConfig({
    permission: {
      enabled: true,
      policyRouter: {
        routingFile: join(folder, 'routing.yaml'),
        deadline: `${DEADLINE}ms`,
        sources: sourcesConfig(urls, round),
      },
    },
  });
