import type { AuthService, DiscoveryService } from '@backstage/backend-plugin-api';
import { request } from 'undici';

export interface PluginServices {
  readonly discovery: DiscoveryService;
  readonly auth: AuthService;
}

export interface PluginRequest {
  /** Below the plugin's base URL; begins with `/`. */
  readonly path: string;
  /** Sent by POST as JSON; without it the request is a GET. */
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Of the answer. */
  readonly maxBytes: number;
}

export interface PluginAnswer {
  readonly status: number;
  /** Undefined if it is longer than `maxBytes`, or if the status is not 200. */
  readonly text: string | undefined;
}

/**
 * Asks a plugin, as the backend itself.
 *
 * @throws what the way to the plugin throws.
 */
export type AskPlugin = (
  pluginId: string,
  request: PluginRequest,
) => Promise<PluginAnswer>;

/** Over HTTP, with a service token of ours. */
export const pluginAsker =
  (services: PluginServices): AskPlugin =>
  (pluginId, request) =>
    requestPlugin(pluginId, request, services);

async function requestPlugin(
  pluginId: string,
  { path, body, signal, maxBytes }: PluginRequest,
  { discovery, auth }: PluginServices,
): Promise<PluginAnswer> {
  const baseUrl = await discovery.getBaseUrl(pluginId);
  const { token } = await auth.getPluginRequestToken({
    onBehalfOf: await auth.getOwnServiceCredentials(),
    targetPluginId: pluginId,
  });
  const headers = {
    // The token is empty if the operator has turned authentication off.
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const response = await request(`${baseUrl}${path}`, {
    signal,
    headers,
    ...(body === undefined ? {} : { method: 'POST', body }),
  });
  const status = response.statusCode;
  if (status !== 200) {
    await response.body.dump();
    return { status, text: undefined };
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return { status, text: undefined };
    chunks.push(chunk);
  }
  return { status, text: Buffer.concat(chunks).toString() };
}
