import { errorName } from '../lib/foreign-error';
import { settleWithin } from '../lib/deadline';
import type { AskPlugin } from '../lib/plugin-request';

/** What a plugin publishes about its permissions and rules. */
export type PluginMetadata =
  | { readonly kind: 'published'; readonly body: unknown }
  /** There is no such plugin, or it publishes nothing. */
  | { readonly kind: 'none'; readonly why: string }
  /** It lets no service in, at least not now. */
  | { readonly kind: 'refused'; readonly why: string }
  /** Unknown, because the plugin could not be asked. */
  | { readonly kind: 'unread'; readonly why: string };

/** Timeout for reading one plugin's metadata, in milliseconds. */
export const READ_TIMEOUT = 1000;
/** Limit for one plugin's metadata; several hundred rules stay well below it. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Asks a plugin for its permissions and rules, with a service token. Never rejects. */
export function readPluginMetadata(
  pluginId: string,
  askPlugin: AskPlugin,
): Promise<PluginMetadata> {
  const abort = new AbortController();
  const late = (): PluginMetadata => {
    abort.abort();
    return unread(`no answer within ${READ_TIMEOUT} ms`);
  };
  const read = ask(pluginId, askPlugin, abort.signal).catch((error: unknown) =>
    unread(errorName(error) ?? 'an unknown error'),
  );
  return settleWithin(read, READ_TIMEOUT, late);
}

async function ask(
  pluginId: string,
  askPlugin: AskPlugin,
  signal: AbortSignal,
): Promise<PluginMetadata> {
  const path = '/.well-known/backstage/permissions/metadata';
  const request = { path, signal, maxBytes: MAX_BYTES };
  const { status, text } = await askPlugin(pluginId, request);
  if (status !== 200) {
    const why = `HTTP ${status}`;
    if (isFinal(status, pluginId)) return { kind: 'none', why };
    return status === 401 || status === 403 ? { kind: 'refused', why } : unread(why);
  }
  return text === undefined
    ? unread(`its answer has more than ${MAX_BYTES} bytes`)
    : parse(text);
}

/** Whether the plugin would also refuse a request to apply conditions, rather than just now. */
function isFinal(statusCode: number, pluginId: string): boolean {
  if (statusCode >= 500 || [408, 425, 429].includes(statusCode)) return false;
  // Paths match in any letter case, but a token is for one exact plugin id: a 401 for a misspelt
  // id comes from the plugin with the right spelling.
  const isMisspelt = pluginId !== pluginId.toLowerCase();
  return isMisspelt || (statusCode !== 401 && statusCode !== 403);
}

/** A backend that also serves the frontend answers unknown paths with an HTML page. */
function parse(text: string): PluginMetadata {
  try {
    return { kind: 'published', body: JSON.parse(text) as unknown };
  } catch {
    return { kind: 'none', why: 'its answer is not permission metadata' };
  }
}

const unread = (why: string): PluginMetadata => ({ kind: 'unread', why });
