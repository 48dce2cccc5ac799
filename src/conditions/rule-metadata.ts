import type { AuthService, DiscoveryService } from '@backstage/backend-plugin-api';
import { request } from 'undici';
import { errorName } from '../lib/foreign-error';
import { settleWithin } from '../lib/deadline';
import { PublishedRules } from './published-rules';

/** What could be learned of a plugin's rules. */
export type RuleMetadata =
  | { readonly kind: 'published'; readonly rules: PublishedRules }
  /** There is no such plugin, or it publishes no rules: nothing can apply its conditions. */
  | { readonly kind: 'none'; readonly why: string }
  /** Nobody knows: the plugin could not be asked. */
  | { readonly kind: 'unread'; readonly why: string };

/** Milliseconds for reading one plugin's metadata. */
export const READ_TIMEOUT = 1000;
/** Of one plugin's metadata; some hundreds of rules are well below. */
const MAX_BYTES = 4 * 1024 * 1024;

export interface RuleMetadataServices {
  readonly discovery: DiscoveryService;
  readonly auth: AuthService;
}

/** Asks a plugin for its rules, with a service token. Never rejects. */
export function readRuleMetadata(
  pluginId: string,
  services: RuleMetadataServices,
): Promise<RuleMetadata> {
  const abort = new AbortController();
  const late = (): RuleMetadata => {
    abort.abort();
    return unread(`no answer within ${READ_TIMEOUT} ms`);
  };
  const read = ask(pluginId, services, abort.signal).catch((error: unknown) =>
    unread(errorName(error) ?? 'an unknown error'),
  );
  return settleWithin(read, READ_TIMEOUT, late);
}

async function ask(
  pluginId: string,
  { discovery, auth }: RuleMetadataServices,
  signal: AbortSignal,
): Promise<RuleMetadata> {
  const baseUrl = await discovery.getBaseUrl(pluginId);
  const { token } = await auth.getPluginRequestToken({
    onBehalfOf: await auth.getOwnServiceCredentials(),
    targetPluginId: pluginId,
  });
  const { statusCode, body } = await request(
    `${baseUrl}/.well-known/backstage/permissions/metadata`,
    // Without a token where the operator has turned authentication off.
    { signal, headers: token ? { authorization: `Bearer ${token}` } : {} },
  );
  if (statusCode !== 200) {
    await body.dump();
    const why = `HTTP ${statusCode}`;
    return refuses(statusCode, pluginId) ? { kind: 'none', why } : unread(why);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) return unread(`more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return parse(Buffer.concat(chunks).toString());
}

/** Whether it would answer the same to who asks it to apply conditions. */
function refuses(statusCode: number, pluginId: string): boolean {
  if (statusCode >= 500 || [408, 425, 429].includes(statusCode)) return false;
  // Paths are matched in any case, tokens are not: it is there under another spelling.
  const isMisspelt = pluginId !== pluginId.toLowerCase();
  return isMisspelt || (statusCode !== 401 && statusCode !== 403);
}

/** A backend that serves a frontend answers any path it does not know with a page. */
function parse(text: string): RuleMetadata {
  try {
    return { kind: 'published', rules: new PublishedRules(JSON.parse(text)) };
  } catch {
    return { kind: 'none', why: 'its answer is no rule metadata' };
  }
}

const unread = (why: string): RuleMetadata => ({ kind: 'unread', why });
