import { failed, type Failed } from '../../answer';

/**
 * Errors that mean "nobody there, or gone before the answer". Everything else (TLS
 * verification, HTTP that does not parse, a body over the limit) is `invalid`: an unknown
 * error must not take the fail-open way.
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

/** undici's words for a connection that ended; its other socket errors are broken HTTP. */
const CONNECTION_ENDED = new Set(['other side closed', 'closed']);

/**
 * Sorts what the HTTP client threw into a failure class, by code: under some loaders errors
 * of Node's core are not `instanceof Error`.
 *
 * @param secure - whether the connection is TLS.
 */
export function transportFailure(error: unknown, secure: boolean): Failed {
  // A parse error of HTTP has a name only.
  const code = codeOf(error) ?? String((error as { name?: unknown } | null)?.name);
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return failed(
      'invalid',
      'OVERSIZED',
      'the response is larger than maxResponseBytes',
    );
  }
  return UNAVAILABLE.has(code) || isLostConnection(error, secure)
    ? failed('unavailable', code, `OPA could not be reached (${code})`)
    : failed('invalid', code, `the exchange with OPA broke (${code})`);
}

/**
 * Over TLS 1.3 a server refuses our certificate after the handshake: to undici the connection
 * just ends before a byte of HTTP. That is no outage.
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

/** The error's own code, else that of what it wraps (a cause, or one error per address). */
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
