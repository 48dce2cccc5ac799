import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where the manifests' OPA looks for its bundle. */
const RESOURCE = /^\/([\w-]+)\/backstage\/bundle\.tar\.gz$/;

/** An object store with one bundle: HTTP, a token, and ETags. */
export class BundleStore {
  private etag = '';
  private bundle: Buffer | undefined;
  /** How often each reader has got the bundle that is published now. */
  private readonly downloads = new Map<string, number>();

  private constructor(
    private readonly server: Server,
    private readonly token: string,
  ) {
    server.on('request', (request, response) => {
      const reader = RESOURCE.exec(request.url ?? '')?.[1];
      if (request.headers.authorization !== `Bearer ${this.token}`) {
        response.writeHead(401).end();
      } else if (reader === undefined || this.bundle === undefined) {
        response.writeHead(404).end();
      } else if (request.headers['if-none-match'] === this.etag) {
        response.writeHead(304).end();
      } else {
        this.downloads.set(reader, this.downloaded(reader) + 1);
        response
          .writeHead(200, { etag: this.etag, 'content-type': 'application/gzip' })
          .end(this.bundle);
      }
    });
  }

  /** @param token - without it nothing is given. */
  static async start(token: string): Promise<BundleStore> {
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return new BundleStore(server, token);
  }

  /** The URL for this reader, whose downloads are counted apart. */
  urlFor(reader: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/${reader}`;
  }

  publish(bundle: Buffer): void {
    this.bundle = bundle;
    this.etag = `"${createHash('sha256').update(bundle).digest('hex')}"`;
    this.downloads.clear();
  }

  get published(): Buffer | undefined {
    return this.bundle;
  }

  /** How often this reader has got what is published now. */
  downloaded(reader: string): number {
    return this.downloads.get(reader) ?? 0;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise(resolve => this.server.close(resolve));
  }
}
