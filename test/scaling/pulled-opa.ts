import { once } from 'node:events';
import { request } from 'undici';
import type { OpaStates } from '../soak/oracle';
import { Timeline } from '../soak/timeline';
import type { Version } from '../soak/world';
import { until } from '../support/until';
import {
  startManifestOpa,
  type ManifestOpa,
  type ManifestOpaOptions,
} from './manifest-opa';

/** A real OPA that pulls signed bundles and is killed; knows its possible states over time. */
export class PulledOpa {
  private readonly state = new Timeline<Version | 'down'>('down');

  private constructor(
    private readonly options: ManifestOpaOptions,
    private server: ManifestOpa,
  ) {}

  static async start(
    options: ManifestOpaOptions,
    version: Version,
  ): Promise<PulledOpa> {
    const opa = new PulledOpa(options, await startManifestOpa(options));
    opa.state.set(version);
    return opa;
  }

  get url(): string {
    return this.server.url;
  }

  /** From now on it may take this version. */
  mayTake(version: Version): void {
    this.state.set(...new Set([...this.state.now(), version]));
  }

  /** From now on it has this version, and answers. */
  has(version: Version): void {
    this.state.set(version);
  }

  async kill(): Promise<void> {
    this.state.set(...this.state.now(), 'down');
    const gone = once(this.server.process, 'exit');
    this.server.kill('SIGKILL');
    await gone;
    this.state.set('down');
  }

  /**
   * Starts it again at its address. It has the version that it kept, and takes the published one. Until
   * `has`, the breakers of its callers may still be open.
   */
  async restart(kept: Version, published: Version): Promise<void> {
    this.state.set('down', kept, published);
    const { port } = this.server;
    this.server = await startManifestOpa({ ...this.options, port });
    await until(async () => {
      const { body } = await request(`${this.url}/v1/data/version`);
      return ((await body.json()) as { result?: string }).result === published;
    }, `OPA has taken version ${published}`);
    this.state.set('down', published);
  }

  states(from: number, to: number): OpaStates {
    const versions = this.state.between(from, to);
    const down = versions.delete('down');
    return { versions: versions as ReadonlySet<Version>, down, outage: down };
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }
}
