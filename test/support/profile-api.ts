import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KEPT_ALIVE } from './backend';
import type { Profile } from '../fixtures/openchoreo/capabilities';

/** What the API does with a request that it has understood. */
export type Answering = (response: ServerResponse, profile: Profile) => void;

export const inTruth: Answering = (response, profile) =>
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
  /** The bearer tokens that were shown, in the order of their arrival. */
  readonly tokens: string[];
  /** Most requests that were under way at once, since `forget`. */
  readonly mostUnderWay: () => number;
  /** What the user of this token may do, by action; of other tokens it knows nothing. */
  grant(token: string, capabilities: Profile['capabilities']): void;
  /** How it answers from now on: to this token, or to all of which nothing else was said. */
  answer(answering: Answering, token?: string): void;
  /** Answers nothing, to this token or to all, until what it returns is called. */
  hold(token?: string): () => void;
  /** Answers all that is held, and everybody in truth from now on. */
  letGo(): void;
  /** Waits until one more request has come that was not there at the call. */
  nextRequest(): Promise<void>;
  forget(): void;
  /** Ends all connections, and takes none any more. */
  stop(): Promise<void>;
}

/** `GET /api/v1/authz/profile` of an OpenChoreo that knows its users by their token only. */
export async function startProfileApi(): Promise<ProfileApi> {
  const granted = new Map<string, Profile['capabilities']>();
  const answerings = new Map<string, Answering>();
  const tokens: string[] = [];
  const waiting: Array<() => void> = [];
  const releases: Array<() => void> = [];
  let forAll: Answering = inTruth;
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
    else if (answering === inTruth) answerings.delete(token);
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
      answer((...given) => void held.push(() => inTruth(...given)), token);
      const release = (): void => {
        answer(inTruth, token);
        for (const each of held.splice(0)) each();
      };
      releases.push(release);
      return release;
    },
    letGo() {
      answerings.clear();
      forAll = inTruth;
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
