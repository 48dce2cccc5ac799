import { failed, type Failed } from '../../answer';

/**
 * Errors that mean that OPA did not answer or that the connection was lost. Everything else
 * (TLS verification, HTTP that cannot be parsed, a body over the limit) is `invalid`: an
 * unknown error must not fail open.
 */
const UNAVAILABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  // The file of a unix socket appears when OPA starts.
  'ENOENT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Where an OPA is asked. */
export interface Peer {
  /** Whether the connection is TLS. */
  readonly secure: boolean;
  /** `127.0.0.1:8181`, or the path of a unix socket; nothing else of its URL. */
  readonly address: string;
}

/** In place of an error while connecting: what it was judged to be. */
export class JudgedFailure extends Error {
  override readonly name = 'JudgedFailure';

  constructor(readonly judged: Failed) {
    super(judged.failure.message);
  }
}

/** undici's messages for a connection that ended; its other socket errors mean broken HTTP. */
const CONNECTION_ENDED = new Set(['other side closed', 'closed']);

/**
 * Assigns a failure class to what the HTTP client threw. It looks at codes, because under some
 * loaders errors of Node's core are not `instanceof Error`.
 *
 * @param peer - where OPA was tried.
 */
export function transportFailure(error: unknown, { secure, address }: Peer): Failed {
  if (error instanceof JudgedFailure) return error.judged;
  // An HTTP parse error has only a name.
  const code = codeOf(error) ?? String((error as { name?: unknown } | null)?.name);
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return failed(
      'invalid',
      'OVERSIZED',
      'the response is larger than maxResponseBytes',
    );
  }
  return UNAVAILABLE.has(code) || isLostConnection(error, secure)
    ? failed('unavailable', code, `OPA could not be reached (${code} ${address})`)
    : failed('invalid', code, `the request to OPA failed (${code} ${address})`);
}

/**
 * In TLS 1.3 a server rejects a client certificate after the handshake, and undici sees only
 * that the connection ends before the first byte of HTTP. That is not an outage.
 */
function isLostConnection(error: unknown, secure: boolean): boolean {
  const { code, message, socket } = Object(error) as {
    code?: unknown;
    message?: unknown;
    socket?: { bytesRead?: number } | null;
  };
  if (code !== 'UND_ERR_SOCKET' || !CONNECTION_ENDED.has(String(message))) return false;
  return !secure || (socket?.bytesRead ?? 0) > 0;
}

/** The error's own code, else that of its cause or of its first error per address. */
function codeOf(error: unknown, depth = 3): string | undefined {
  if (typeof error !== 'object' || error === null || depth === 0) return undefined;
  const { code, cause, errors } = error as {
    code?: unknown;
    cause?: unknown;
    errors?: unknown;
  };
  if (typeof code === 'string') return code;
  const inner: unknown = Array.isArray(errors) ? errors[0] : cause;
  return codeOf(inner, depth - 1);
}
