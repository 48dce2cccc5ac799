import { z } from 'zod';
import { settleWithin } from '../lib/deadline';
import { errorName } from '../lib/foreign-error';
import type { AskPlugin } from '../lib/plugin-request';
import type { Principal } from '../request';

/** In milliseconds. */
const TIMEOUT = 5000;
const MAX_BYTES = 4_194_304;

const entity = z.object({
  kind: z.string(),
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
  relations: z.array(z.object({ type: z.string(), targetRef: z.string() })).optional(),
});

export type CatalogUser =
  | { readonly kind: 'found'; readonly principal: Required<Principal> }
  | { readonly kind: 'not found' }
  | { readonly kind: 'unread'; readonly why: string };

/**
 * A user as Backstage's sign-in resolves one from the catalog by default: the user, and the groups
 * that they are a direct member of. Never rejects.
 *
 * @param ref - a whole entity ref of a user.
 */
export function catalogUser(ref: string, askPlugin: AskPlugin): Promise<CatalogUser> {
  const abort = new AbortController();
  const read = ask(ref, abort.signal, askPlugin).catch((error: unknown): CatalogUser =>
    unread(errorName(error) ?? 'an unknown error'),
  );
  return settleWithin(read, TIMEOUT, () => {
    abort.abort();
    return unread(`no answer within ${TIMEOUT} ms`);
  });
}

async function ask(
  ref: string,
  signal: AbortSignal,
  askPlugin: AskPlugin,
): Promise<CatalogUser> {
  const [, namespace = '', name = ''] = /^user:([^:/]+)\/([^:/]+)$/i.exec(ref) ?? [];
  // Only these two are changed by a URL; no entity has such a name.
  if ([namespace, name].some(part => part === '' || part === '.' || part === '..')) {
    return { kind: 'not found' };
  }
  const path = `/entities/by-name/user/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
  const { status, text } = await askPlugin('catalog', {
    path,
    signal,
    maxBytes: MAX_BYTES,
  });
  if (status === 404) return { kind: 'not found' };
  if (text === undefined) return unread(`HTTP ${status}`);
  const { success, data } = entity.safeParse(JSON.parse(text));
  if (!success) return unread('its answer is not an entity');
  const own = `${data.kind}:${data.metadata.namespace ?? 'default'}/${data.metadata.name}`;
  const userEntityRef = own.toLocaleLowerCase('en-US');
  const groups = (data.relations ?? [])
    .filter(
      ({ type, targetRef }) => type === 'memberOf' && targetRef.startsWith('group:'),
    )
    .map(({ targetRef }) => targetRef);
  const ownershipEntityRefs = [...new Set([userEntityRef, ...groups])];
  return { kind: 'found', principal: { userEntityRef, ownershipEntityRefs } };
}

const unread = (why: string): CatalogUser => ({ kind: 'unread', why });
