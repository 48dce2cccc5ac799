/** Peers that use TLS, or should. test/fixtures/tls/make.sh makes the certificates. */
import type { Socket } from 'node:net';
import { createServer } from 'node:tls';
import { silence, type Behaviour } from '../support/stub-server';
import { tlsFixture } from '../support/tls-fixture';
import {
  decides,
  invalid,
  outage,
  scene,
  type Chapter,
  type Outcome,
  type Scene,
} from './fault';
import {
  ALLOW,
  decidesContrary,
  replies,
  reset,
  saysAndCloses,
  startStubPeer,
  stubScene,
} from './stub-peer';

const secure = (url: string): string => url.replace('http:', 'https:');

interface TlsOptions {
  readonly does?: Behaviour;
  /** The name of its certificate; `null` for a peer that does not use TLS. */
  readonly certificate?: string | null;
  /** The authority that the router trusts; `null` for Node's defaults. */
  readonly trusts?: string | null;
  /** Gets the connection before TLS. */
  readonly connected?: (socket: Socket) => void;
}

/** A peer that would answer ALLOW, asked over https. */
const tls = (
  name: string,
  outcome: Outcome,
  {
    does = replies(ALLOW),
    certificate = 'server',
    trusts = 'ca',
    connected,
  }: TlsOptions = {},
): Scene =>
  scene(
    () =>
      startStubPeer(
        does,
        {
          ...(connected && { connected }),
          ...(certificate !== null && {
            create: accept =>
              createServer(
                {
                  cert: tlsFixture(`${certificate}.pem`),
                  key: tlsFixture(`${certificate}.key`),
                },
                accept,
              ),
          }),
        },
        url => ({
          baseUrl: secure(url),
          ...(trusts !== null && { tls: { ca: tlsFixture(`${trusts}.pem`) } }),
        }),
      ),
    [{ name, outcome }],
  );

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n';

export const tlsFaults: Chapter = {
  title: 'has a TLS problem',
  scenes: [
    tls('decides over TLS', decides, { does: decidesContrary }),
    tls('has a certificate for another host', invalid('ERR_TLS_CERT_ALTNAME_INVALID'), {
      certificate: 'other-host',
    }),
    tls('has an expired certificate', invalid('CERT_HAS_EXPIRED'), {
      certificate: 'expired',
    }),
    tls('has a certificate that is not yet valid', invalid('CERT_NOT_YET_VALID'), {
      certificate: 'future',
    }),
    tls('has a self-signed certificate', invalid('DEPTH_ZERO_SELF_SIGNED_CERT'), {
      certificate: 'self-signed',
    }),
    tls(
      'has a certificate from another authority than `tls.ca`',
      invalid('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
      { trusts: 'stranger-ca' },
    ),
    tls(
      'has a certificate from a private authority, without `tls.ca`',
      invalid('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
      { trusts: null },
    ),
    tls(
      'speaks plain HTTP where TLS is expected',
      invalid('ERR_SSL_WRONG_VERSION_NUMBER'),
      {
        certificate: null,
        connected: socket => socket.end('HTTP/1.1 400 Bad\r\n\r\n'),
      },
    ),
    stubScene(
      'speaks TLS where plain HTTP is expected and closes the connection',
      replies(ALLOW),
      outage('UND_ERR_SOCKET'),
      {
        create: accept =>
          createServer(
            { cert: tlsFixture('server.pem'), key: tlsFixture('server.key') },
            accept,
          ),
      },
    ),
    tls('closes in the TLS handshake', outage('ECONNRESET'), {
      certificate: null,
      connected: socket => socket.once('data', () => socket.end()),
    }),
    tls('resets in the TLS handshake', outage('ECONNRESET'), {
      certificate: null,
      connected: socket => socket.once('data', () => reset(socket)),
    }),
    tls(
      'sends nothing in the TLS handshake',
      outage('TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'),
      {
        certificate: null,
        does: silence,
      },
    ),
    tls('never answers over TLS', outage('TIMEOUT'), { does: silence }),
    tls(
      'closes over TLS before it answers, as a server does that rejects our certificate',
      invalid('UND_ERR_SOCKET'),
      { does: saysAndCloses('') },
    ),
    tls('closes over TLS in the middle of the body', outage('UND_ERR_SOCKET'), {
      does: saysAndCloses(HEAD),
    }),
  ],
};
