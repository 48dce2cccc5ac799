import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { startOpa, type OpaServer } from '../support/opa-server';
import type { OpaStates } from './oracle';
import { Timeline } from './timeline';
import { RESET_TIMEOUT, TIMEOUT, type Version } from './world';

/** How often its health is checked and how slow an answer may be, in milliseconds. */
const PING_EVERY = 100;
const PING_LIMIT = 200;

/** How long the breaker may take to notice that OPA is up again, in milliseconds. */
const UNTIL_NOTICED = TIMEOUT + RESET_TIMEOUT + 1000;

export interface UnsteadyOpaOptions {
  readonly binary: string;
  /** The folder of `policy.rego` and a `data-<version>.json` for each version. */
  readonly folder: string;
  /**
   * Whether it is asked so rarely that its breaker may take any time to notice that it is up
   * again.
   */
  readonly seldomAsked: boolean;
  /** How long this process was stalled since then, in milliseconds. */
  readonly stalledSince: (from: number) => number;
}

/** OPA serves TLS at the address that `startOpa` gives it, and plain HTTP at one of ours. */
const CERTIFICATE = [
  ...['--tls-cert-file', join(__dirname, '../fixtures/tls/server.pem')],
  ...['--tls-private-key-file', join(__dirname, '../fixtures/tls/server.key')],
];

/** A real OPA that is killed, frozen and given other policies; knows its possible states over time. */
export class UnsteadyOpa {
  private readonly state = new Timeline<Version | 'down'>('down');
  /** When it or this process was too slow for its state to be certain. */
  private readonly slow = new Timeline<boolean>(false);
  /** When it was too slow itself, whatever this process did. */
  private readonly slowItself = new Timeline<boolean>(false);
  private lastDown = -Infinity;
  private lastOutage = -Infinity;
  private pingSince: number | undefined;
  private server: OpaServer | undefined;
  private ports: { readonly tls: number; readonly plain: number } | undefined;
  private stopped = false;
  private pinging: Promise<void> = Promise.resolve();

  constructor(private readonly options: UnsteadyOpaOptions) {}

  get url(): string {
    return `http://127.0.0.1:${this.ports?.plain}`;
  }

  /** Its certificate is signed by `ca.pem` of the test fixtures. */
  get secureUrl(): string {
    return `https://127.0.0.1:${this.ports?.tls}`;
  }

  get isUp(): boolean {
    return this.server !== undefined;
  }

  async start(version: Version): Promise<void> {
    const { binary, folder } = this.options;
    this.state.set('down', version);
    const plain = this.ports?.plain ?? (await freePort());
    const server = await startOpa({
      binary,
      policies: [join(folder, 'policy.rego'), join(folder, `data-${version}.json`)],
      // At level info it writes two lines per decision, which this process would have to read.
      args: [
        ...['--log-level', 'error'],
        ...['--addr', `http://127.0.0.1:${plain}`],
        ...CERTIFICATE,
      ],
      ...(this.ports === undefined ? {} : { port: this.ports.tls }),
    });
    this.server = server;
    this.ports = { tls: server.port, plain };
    this.returned(version);
    if (!this.stopped) this.pinging = this.ping(server);
  }

  async kill(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = undefined;
    this.state.set(...this.state.now(), 'down');
    server.kill('SIGKILL');
    await server.stop();
    this.state.set('down');
  }

  async freeze(milliseconds: number): Promise<void> {
    const { server } = this;
    if (!server) return;
    const was = this.state.now();
    this.server = undefined;
    this.state.set(...was, 'down');
    server.kill('SIGSTOP');
    await delay(milliseconds);
    server.kill('SIGCONT');
    this.server = server;
    this.returned(...was);
    if (!this.stopped) this.pinging = this.ping(server);
  }

  /** Replaces its policy while it runs. */
  async swap(version: Version): Promise<void> {
    if (!this.server) return;
    this.state.set(...this.state.now(), version);
    const { statusCode, body } = await request(`${this.url}/v1/data/version`, {
      method: 'PUT',
      body: JSON.stringify(version),
    });
    await body.dump();
    if (statusCode === 204) this.state.set(version);
  }

  /**
   * The states that a decision between the two moments may have met.
   *
   * @param breakerOpen - whether the decision may have found the breaker open.
   */
  states(from: number, to: number, breakerOpen: boolean): OpaStates {
    // A shared question may have been sent up to half of the timeout before its caller joined.
    const possible = this.state.between(from - TIMEOUT, to);
    const outage =
      possible.delete('down') ||
      this.slowItself.between(from - TIMEOUT, to).has(true) ||
      this.isSlowItself() ||
      (breakerOpen && this.isRecent(this.lastOutage, from));
    const down =
      outage ||
      this.slow.between(from - TIMEOUT, to).has(true) ||
      this.isSlow() ||
      (breakerOpen && this.isRecent(this.lastDown, from));
    return { versions: possible as ReadonlySet<Version>, down, outage };
  }

  /** Whether the breaker may still be open. In a stall its probes fail, so it takes longer. */
  private isRecent(end: number, from: number): boolean {
    if (this.options.seldomAsked) return end > -Infinity;
    const noticed = UNTIL_NOTICED + 2 * this.options.stalledSince(end);
    return end > from - noticed;
  }

  /** Records that its state is uncertain, for example after a stall of this process. */
  markSlow(): void {
    this.slow.set(true);
    this.slow.set(false);
    this.lastDown = performance.now();
  }

  private markSlowItself(): void {
    this.slowItself.set(true);
    this.slowItself.set(false);
    this.lastOutage = performance.now();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const { server } = this;
    this.server = undefined;
    await server?.stop();
    await this.pinging;
  }

  private returned(...versions: ReadonlyArray<Version | 'down'>): void {
    this.state.set(...versions.filter(each => each !== 'down'));
    this.lastDown = performance.now();
    this.lastOutage = performance.now();
  }

  private isSlow(): boolean {
    return this.pingTime() > PING_LIMIT;
  }

  /** Whether the ping takes long even without the time that this process was stalled. */
  private isSlowItself(): boolean {
    const since = this.pingSince;
    if (since === undefined || !this.isSlow()) return false;
    return this.pingTime() - this.options.stalledSince(since) > PING_LIMIT;
  }

  private pingTime(): number {
    return this.pingSince === undefined ? 0 : performance.now() - this.pingSince;
  }

  private async ping(server: OpaServer): Promise<void> {
    while (this.server === server && !this.stopped) {
      this.pingSince = performance.now();
      try {
        const { body } = await request(`${this.url}/health`, {
          headersTimeout: 5000,
          reset: true,
        });
        await body.dump();
      } catch {
        // It was killed, which the timeline knows.
      }
      if (this.server === server) {
        if (this.isSlow()) this.markSlow();
        if (this.isSlowItself()) this.markSlowItself();
      }
      this.pingSince = undefined;
      await delay(PING_EVERY);
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
