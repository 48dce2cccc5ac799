/** Answers with HTTP 200 and a body that OPA would not send. */
import { gzipSync } from 'node:zlib';
import { decides, invalid, scene, type Chapter, type Scene } from './fault';
import {
  ALLOW,
  contrary,
  decisionBody,
  connectionsClose,
  pour,
  replies,
  response,
  startStubPeer,
  stubScene,
} from './stub-peer';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';

const body = (what: string, bytes: string | Buffer, code: string): Scene =>
  stubScene(`answers ${what}`, replies(bytes), invalid(code));

const DEPTH = 100_000;

/** Raises maxResponseBytes, because the nesting is larger than the matrix allows. */
const deep = (what: string, text: string): Scene =>
  scene(
    () => startStubPeer(replies(text), {}, () => ({ maxResponseBytes: 2_000_000 })),
    [
      {
        name: `answers ${what} nested ${DEPTH} levels deep`,
        outcome: invalid('TOO_DEEP'),
      },
    ],
  );

const chunk = Buffer.from(`400\r\n${' '.repeat(0x400)}\r\n`);

export const bodies: Chapter = {
  title: 'answers with something that is not a decision',
  scenes: [
    body('{}', '{}', 'UNDEFINED_DECISION'),
    body(
      'an OPA error with status 200',
      '{"code":"internal_error"}',
      'UNDEFINED_DECISION',
    ),
    body('an empty body', '', 'BAD_JSON'),
    body('null', 'null', 'BAD_JSON'),
    body('a list', `[${ALLOW}]`, 'BAD_JSON'),
    body('a number', '1', 'BAD_JSON'),
    body('NaN', 'NaN', 'BAD_JSON'),
    body('a NaN as the decision', '{"result":NaN}', 'BAD_JSON'),
    body('HTML', '<html>ALLOW</html>', 'BAD_JSON'),
    body('a truncated ALLOW', ALLOW.slice(0, -1), 'BAD_JSON'),
    body('an ALLOW followed by more text', `${ALLOW}x`, 'BAD_JSON'),
    body('an ALLOW followed by a NUL', `${ALLOW}\0`, 'BAD_JSON'),
    body('two decisions', `${ALLOW}\n${ALLOW}`, 'BAD_JSON'),
    body('an ALLOW in single quotes', ALLOW.replaceAll('"', "'"), 'BAD_JSON'),
    body('an ALLOW in UTF-16', Buffer.from(ALLOW, 'utf16le'), 'BAD_JSON'),
    body(
      'an ALLOW in UTF-16 with a byte order mark',
      Buffer.from(`\ufeff${ALLOW}`, 'utf16le'),
      'BAD_JSON',
    ),
    body('an ALLOW in UTF-8 with a byte order mark', `\ufeff${ALLOW}`, 'BAD_JSON'),
    stubScene(
      'answers an ALLOW in unrequested gzip',
      replies(gzipSync(ALLOW), '200 OK', ['content-encoding: gzip']),
      invalid('BAD_JSON'),
    ),
    body('true', decisionBody(true), 'BAD_DECISION'),
    body('"ALLOW"', decisionBody('ALLOW'), 'BAD_DECISION'),
    body('null as the decision', decisionBody(null), 'BAD_DECISION'),
    body('a number as the decision', decisionBody(1), 'BAD_DECISION'),
    body('a list of decisions', decisionBody([{ result: 'ALLOW' }]), 'BAD_DECISION'),
    body('allow in lower case', decisionBody({ result: 'allow' }), 'BAD_DECISION'),
    body(
      'an ALLOW with a trailing space',
      decisionBody({ result: 'ALLOW ' }),
      'BAD_DECISION',
    ),
    body('{"allow": true}', decisionBody({ allow: true }), 'BAD_DECISION'),
    deep('a decision', `{"result":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}`),
    deep(
      'conditions',
      `{"result":{"result":"CONDITIONAL","conditions":${'{"not":'.repeat(DEPTH)}{}${'}'.repeat(DEPTH)}}}`,
    ),
    stubScene(
      'answers an ALLOW larger than maxResponseBytes',
      replies(JSON.stringify({ result: { result: 'ALLOW' }, x: 'x'.repeat(5000) })),
      invalid('OVERSIZED'),
    ),
    stubScene(
      'answers 50 MB',
      socket => {
        socket.write(`${HEAD}content-length: 50000000\r\n\r\n`);
        pour(socket, Buffer.alloc(65_536, ' '));
      },
      invalid('OVERSIZED'),
      { after: connectionsClose },
    ),
    stubScene(
      'answers with endless chunks',
      socket => {
        socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
        pour(socket, chunk);
      },
      invalid('OVERSIZED'),
      { after: connectionsClose },
    ),
    stubScene(
      'answers its decision with extra keys that Backstage does not use',
      (socket, request) =>
        socket.write(
          response(
            JSON.stringify({
              ...(JSON.parse(contrary(request)) as object),
              decision_id: 'x',
              metrics: {},
            }),
          ),
        ),
      decides,
    ),
  ],
};
