/** Answers with an HTTP status other than 200. */
import {
  decides,
  invalid,
  outage,
  overload,
  scene,
  type Chapter,
  type Outcome,
  type Scene,
} from './fault';
import {
  ALLOW,
  contrary,
  replies,
  response,
  says,
  saysAndCloses,
  startStubPeer,
  stubScene,
  type StubPeer,
} from './stub-peer';

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

function outcomeOf(status: number): Outcome {
  const code = `HTTP_${status}`;
  if (status === 429) return overload(code);
  return [502, 503, 504].includes(status) ? outage(code) : invalid(code);
}

const opaError = (code: string, inner?: string): string =>
  JSON.stringify({
    code,
    message: 'something went wrong',
    ...(inner === undefined ? {} : { errors: [{ code: inner, message: 'wrong' }] }),
  });

const OPA_CODES: Readonly<Record<number, string>> = {
  400: 'invalid_parameter',
  401: 'unauthorized',
  404: 'resource_not_found',
};

/** Each status without a body, with an error body as OPA writes it, and with an ALLOW. */
const errors: readonly Scene[] = Object.entries(REASONS).flatMap(([number, reason]) => {
  const status = `${number} ${reason}`;
  const outcome = outcomeOf(Number(number));
  const error = opaError(OPA_CODES[Number(number)] ?? 'internal_error');
  return [
    stubScene(`answers ${number}`, replies('', status), outcome),
    stubScene(`answers ${number} with an OPA error`, replies(error, status), outcome),
    stubScene(`answers ${number} with an ALLOW`, replies(ALLOW, status), outcome),
  ];
});

/** Redirects to a server that would answer ALLOW and must not be asked. */
async function startRedirect(status: string): Promise<StubPeer & { target: StubPeer }> {
  const target = await startStubPeer(replies(ALLOW));
  const location = `location: ${target.url}/v1/data/backstage_policy/decision`;
  const stub = await startStubPeer(replies(ALLOW, status, [location]), {}, () => ({
    auth: { token: 'a-secret-token' },
  }));
  return {
    ...stub,
    target,
    stop: async () => {
      await stub.stop();
      await target.stop();
    },
  };
}

const redirects: readonly Scene[] = [
  '301 Moved Permanently',
  '302 Found',
  '303 See Other',
  '307 Temporary Redirect',
  '308 Permanent Redirect',
].map(status => {
  const number = status.slice(0, 3);
  return scene(
    () => startRedirect(status),
    [
      {
        name: `redirects with ${number} to a server that answers ALLOW`,
        outcome: invalid(`HTTP_${number}`),
        // The target got no connection, so it did not get the token either.
        after: ({ target }) => expect(target.connections()).toBe(0),
      },
    ],
  );
});

const empty = (status: string): Buffer => Buffer.from(`HTTP/1.1 ${status}\r\n\r\n`);

export const statuses: Chapter = {
  title: 'answers with a status other than 200',
  scenes: [
    ...errors,
    stubScene(
      "answers 500 with OPA's error for conflicting rules",
      replies(opaError('internal_error', 'eval_conflict_error'), '500 Error'),
      invalid('HTTP_500'),
    ),
    ...redirects,
    stubScene(
      'answers 201 with an ALLOW',
      replies(ALLOW, '201 Created'),
      invalid('HTTP_201'),
    ),
    stubScene('answers 204', says(empty('204 No Content')), invalid('HTTP_204')),
    stubScene(
      'answers 206 with an ALLOW',
      replies(ALLOW, '206 Partial Content', ['content-range: bytes 0-28/900']),
      invalid('HTTP_206'),
    ),
    stubScene('answers 304', says(empty('304 Not Modified')), invalid('HTTP_304')),
    stubScene(
      'sends an unrequested 100 Continue and then ALLOW',
      says(Buffer.concat([empty('100 Continue'), response(ALLOW)])),
      invalid('UND_ERR_SOCKET'),
    ),
    stubScene(
      'switches protocols with 101 and sends ALLOW',
      says(
        Buffer.concat([
          Buffer.from(
            'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n',
          ),
          response(ALLOW),
        ]),
      ),
      invalid('UND_ERR_SOCKET'),
    ),
    stubScene(
      'sends 103 Early Hints and then its answer',
      (socket, request) =>
        socket.write(
          Buffer.concat([empty('103 Early Hints'), response(contrary(request))]),
        ),
      decides,
    ),
    stubScene(
      'sends 103 Early Hints and closes',
      saysAndCloses(empty('103 Early Hints')),
      outage('UND_ERR_SOCKET'),
    ),
  ],
};
