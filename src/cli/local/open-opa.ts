import type { Io } from '../io';
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

/**
 * The OPA that a command asks; started where it is told to start one.
 *
 * @throws CliError if it does not start.
 */
export async function openOpa(
  { opa, policies }: OpaOptions,
  { env }: Io,
): Promise<OpenOpa> {
  if (policies) {
    const started = await startOpa(env.OPA_BIN ?? 'opa', policies);
    return { url: started.url, token: undefined, close: () => started.stop() };
  }
  return { url: opa, token: env[OPA_TOKEN_VARIABLE], close: async () => {} };
}
