import { once } from 'node:events';
import { connect, type NetConnectOpts } from 'node:net';
import { errorName } from '../../lib/foreign-error';
import { CliError, EXIT } from '../exit-code';
import type { Io } from '../io';
import { refuseCredentials } from '../url-credentials';
import { startOpa } from './opa-process';

/** What the options `--opa` and `--policies` say. */
export interface OpaOptions {
  readonly opa?: string;
  readonly policies?: readonly string[];
}

export interface OpenOpa {
  /** Undefined: sources of type `opa` need stand-ins. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  close(): Promise<void>;
}

/** The token for the OPA of `--opa`. */
export const OPA_TOKEN_VARIABLE = 'POLICY_ROUTER_OPA_TOKEN';

/** In milliseconds. */
const TIMEOUT = 10_000;

/**
 * The OPA that a command asks; started where it is told to start one.
 *
 * @throws CliError if it does not start, or cannot be reached.
 */
export async function openOpa(
  { opa, policies }: OpaOptions,
  { env }: Io,
): Promise<OpenOpa> {
  if (policies) {
    const started = await startOpa(env.OPA_BIN || 'opa', policies);
    return { url: started.url, token: undefined, close: () => started.stop() };
  }
  if (opa !== undefined) await reach(opa);
  return { url: opa, token: env[OPA_TOKEN_VARIABLE], close: async () => {} };
}

/** Only whether somebody listens: the rest is said by the sources. */
async function reach(url: string): Promise<void> {
  const socket = connect(addressOf(url));
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(TIMEOUT) });
  } catch (error) {
    const { code = errorName(error) ?? 'unknown error' } = error as { code?: string };
    throw new CliError(
      `the OPA at ${url} cannot be reached (${code}). Is it running?`,
      EXIT.unreachable,
    );
  } finally {
    socket.destroy();
  }
}

function addressOf(url: string): NetConnectOpts {
  if (url.startsWith('unix:')) return { path: url.slice('unix:'.length) };
  if (!/^https?:\/\/./i.test(url) || !URL.canParse(url)) {
    throw new CliError(
      `--opa must be a URL such as http://127.0.0.1:8181, not '${url}'`,
    );
  }
  refuseCredentials(url, '--opa', OPA_TOKEN_VARIABLE);
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(port || (protocol === 'https:' ? 443 : 80)) };
}
