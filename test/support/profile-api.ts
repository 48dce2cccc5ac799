import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KEPT_ALIVE } from './backend';
import type { Profile } from '../fixtures/openchoreo/capabilities';

/** How the API answers a valid request. */
export type Answering = (response: ServerResponse, profile: Profile) => void;

export const withProfile: Answering = (response, profile) =>
  void response
    .setHeader('content-type', 'application/json')
    .end(JSON.stringify(profile));

export const withStatus =
  (status: number): Answering =>
  response =>
    void response.writeHead(status).end('{"error":"INTERNAL_ERROR"}');

export const withBody =
  (body: string): Answering =>
  response =>
    void response.setHeader('content-type', 'application/json').end(body);

export const withReset: Answering = response => {
  response.socket?.resetAndDestroy();
};

export const withHalfABody: Answering = response => {
  response.writeHead(200, { 'content-length': 100 });
  response.write('{"capabilities":', () => response.socket?.destroy());
};

export interface ProfileApi {
  readonly url: string;
  /** The bearer tokens that it received, in order. */
  readonly tokens: string[];
  /** The most concurrent requests since `forget`. */
  readonly mostUnderWay: () => number;
  /** Sets what the user with this token may do, by action; other tokens may do nothing. */
  grant(token: string, capabilities: Profile['capabilities']): void;
  /** Sets how it answers this token, or all tokens without a setting of their own. */
  answer(answering: Answering, token?: string): void;
  /** Holds back the answers to this token, or to all, until the returned function is called. */
  hold(token?: string): () => void;
  /** Releases all held answers and resets how it answers. */
  letGo(): void;
  /** Waits for the next request after the call. */
  nextRequest(): Promise<void>;
  forget(): void;
  /** Closes all connections and accepts no more. */
  stop(): Promise<void>;
}

/** `GET /api/v1/authz/profile` of an OpenChoreo that identifies users only by token. */
export async function startProfileApi(): Promise<ProfileApi> {
  const granted = new Map<string, Profile['capabilities']>();
  const answerings = new Map<string, Answering>();
  const tokens: string[] = [];
  const waiting: Array<() => void> = [];
  const releases: Array<() => void> = [];
  let forAll: Answering = withProfile;
  let underWay = 0;
  let mostUnderWay = 0;

  const server = createServer((request, response) => {
    const [, token = ''] =
      /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (request.method !== 'GET' || request.url !== '/api/v1/authz/profile') {
      response.writeHead(404).end();
      return;
    }
    tokens.push(token);
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    response.once('close', () => underWay--);
    for (const resolve of waiting.splice(0)) resolve();
    const capabilities = granted.get(token);
    if (capabilities === undefined) {
      response.writeHead(401).end();
      return;
    }
    (answerings.get(token) ?? forAll)(response, { capabilities });
  });
  server.keepAliveTimeout = KEPT_ALIVE;
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  function answer(answering: Answering, token?: string): void {
    if (token === undefined) forAll = answering;
    else if (answering === withProfile) answerings.delete(token);
    else answerings.set(token, answering);
  }

  return {
    url: `http://127.0.0.1:${port}`,
    tokens,
    mostUnderWay: () => mostUnderWay,
    grant: (token, capabilities) => void granted.set(token, capabilities),
    answer,
    hold(token) {
      const held: Array<() => void> = [];
      answer((...given) => void held.push(() => withProfile(...given)), token);
      const release = (): void => {
        answer(withProfile, token);
        for (const each of held.splice(0)) each();
      };
      releases.push(release);
      return release;
    },
    letGo() {
      answerings.clear();
      forAll = withProfile;
      for (const release of releases.splice(0)) release();
    },
    nextRequest: () => new Promise<void>(resolve => void waiting.push(resolve)),
    forget() {
      tokens.length = 0;
      mostUnderWay = underWay;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
