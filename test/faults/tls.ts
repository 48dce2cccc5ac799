/** Peers behind TLS, and the other way round. The certificates: test/fixtures/tls/make.sh. */
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
  /** The name of its certificate; `null` for a peer that speaks no TLS. */
  readonly certificate?: string | null;
  /** The authority that we trust; Node's own where it is `null`. */
  readonly trusts?: string | null;
  /** Meets the connection before TLS. */
  readonly connected?: (socket: Socket) => void;
}

/** A peer that would say ALLOW, asked by https. */
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
  title: 'speaks TLS wrongly',
  scenes: [
    tls('decides over TLS', decides, { does: decidesContrary }),
    tls(
      'has the certificate of another host',
      invalid('ERR_TLS_CERT_ALTNAME_INVALID'),
      { certificate: 'other-host' },
    ),
    tls('has an expired certificate', invalid('CERT_HAS_EXPIRED'), {
      certificate: 'expired',
    }),
    tls('has a certificate of the future', invalid('CERT_NOT_YET_VALID'), {
      certificate: 'future',
    }),
    tls('has a self-signed certificate', invalid('DEPTH_ZERO_SELF_SIGNED_CERT'), {
      certificate: 'self-signed',
    }),
    tls(
      'has a certificate of another authority than `tls.ca`',
      invalid('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
      { trusts: 'stranger-ca' },
    ),
    tls(
      'has a certificate of a private authority, without `tls.ca`',
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
      'speaks TLS where plain HTTP is expected, and hangs up',
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
      'says nothing in the TLS handshake',
      outage('TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'),
      {
        certificate: null,
        does: silence,
      },
    ),
    tls('says nothing over TLS', outage('TIMEOUT'), { does: silence }),
    tls(
      'closes over TLS before it answers, as one that refuses our certificate does',
      invalid('UND_ERR_SOCKET'),
      { does: saysAndCloses('') },
    ),
    tls('closes over TLS in the middle of the body', outage('UND_ERR_SOCKET'), {
      does: saysAndCloses(HEAD),
    }),
  ],
};
