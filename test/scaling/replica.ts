import { Timeline } from '../soak/timeline';
import type { TableName } from '../soak/world';
import { appConfig, SAMPLE_CATALOG } from '../support/app-config';
import { LoggingBackend } from '../support/logging-backend';
import { ConfigFolder } from './config-folder';
import type { PulledOpa } from './pulled-opa';
import { sourcesOf, tableOf } from './world';

export interface ReplicaOptions {
  readonly name: string;
  /** For its routing file; a new one. */
  readonly folder: string;
  /** The value of `backend.database`. */
  readonly database: object;
  /** The OPA beside it, and that of the other replica. */
  readonly own: PulledOpa;
  readonly other: PulledOpa;
  /** The path of the Wasm bundle of the standby. */
  readonly bundle: string;
}

/** A Backstage backend in a process of its own; knows its possible tables over time. */
export class Replica {
  readonly name: string;
  readonly own: PulledOpa;
  readonly other: PulledOpa;
  readonly tables: Timeline<TableName>;
  isUp = true;

  private constructor(
    { name, own, other }: ReplicaOptions,
    private readonly appConfig: string,
    private readonly config: ConfigFolder,
    private backend: LoggingBackend,
    table: TableName,
  ) {
    this.name = name;
    this.own = own;
    this.other = other;
    this.tables = new Timeline(table);
  }

  static async start(options: ReplicaOptions, table: TableName): Promise<Replica> {
    const { folder, database, own, other, bundle } = options;
    const config = await ConfigFolder.make(folder, { 'routing.yaml': tableOf(table) });
    const text = appConfig({
      backend: { database },
      catalog: {
        ...SAMPLE_CATALOG,
        // Users can sign in sooner.
        stitchingStrategy: { pollingInterval: { milliseconds: 50 } },
      },
      permission: {
        enabled: true,
        policyRouter: {
          routingFile: `${config.path}/routing.yaml`,
          deadline: '5m',
          operators: ['group:default/platform'],
          sources: sourcesOf({ own: own.url, other: other.url, bundle }),
        },
      },
    });
    const backend = await LoggingBackend.start('development', [text]);
    return new Replica(options, text, config, backend, table);
  }

  get url(): string {
    return this.backend.url;
  }

  /** Puts a table into its folder. Until `uses`, it may decide by the old one. */
  async publish(table: TableName): Promise<void> {
    this.tables.set(...new Set([...this.tables.now(), table]));
    await this.config.publish({ 'routing.yaml': tableOf(table) });
  }

  uses(table: TableName): void {
    this.tables.set(table);
  }

  async kill(): Promise<void> {
    this.isUp = false;
    await this.backend.crash();
  }

  /** Another process in its place, with the table that is in its folder. */
  async replace(table: TableName): Promise<void> {
    this.backend = await LoggingBackend.start('development', [this.appConfig]);
    this.tables.set(table);
    this.isUp = true;
  }
}
