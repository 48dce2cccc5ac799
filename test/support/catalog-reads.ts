/** The ways to find out which entities a user may read: lists and single checks. */
import { refOf } from '../properties/reference/catalog-rules';
import { onEntity } from './backend';

export interface Reader {
  readonly url: string;
  readonly token: string;
  /** References by name, for lists that return only names; names are unique. */
  readonly refByName: ReadonlyMap<string, string>;
}

/** Smaller than the catalog, so that cursors carry the conditions too. */
const PAGE_SIZE = 150;
const MAX_PAGES = 20;
const FIELDS = 'fields=kind,metadata.namespace,metadata.name';

interface ListedEntity {
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string };
}

async function ask<T>({ url, token }: Reader, path: string, body?: object): Promise<T> {
  const response = await fetch(`${url}/api/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // In an outage the catalog answers 200 with an empty body.
  if (!response.ok || text === '') {
    throw new Error(`${path} answered HTTP ${response.status}: ${text}`);
  }
  return JSON.parse(text) as T;
}

/** Returns the references that the reader may read, of all entities or of those given. */
export type Reading = (reader: Reader, refs: readonly string[]) => Promise<string[]>;

const entities: Reading = async reader =>
  (await ask<ListedEntity[]>(reader, `catalog/entities?${FIELDS}`)).map(refOf);

interface Page {
  readonly items: ListedEntity[];
  readonly totalItems: number;
  readonly pageInfo: { readonly nextCursor?: string };
}

const byQuery: Reading = async reader => {
  const found: string[] = [];
  let query = '';
  for (let page = 0; page < MAX_PAGES; page++) {
    const path = `catalog/entities/by-query?limit=${PAGE_SIZE}&${FIELDS}${query}`;
    const { items, totalItems, pageInfo } = await ask<Page>(reader, path);
    found.push(...items.map(refOf));
    if (pageInfo.nextCursor === undefined) {
      if (totalItems === found.length) return found;
      throw new Error(
        `by-query counts ${totalItems} entities but returned ${found.length}`,
      );
    }
    query = `&cursor=${encodeURIComponent(pageInfo.nextCursor)}`;
  }
  throw new Error(`by-query did not end within ${MAX_PAGES} pages`);
};

const facets: Reading = async reader => {
  interface Facets {
    readonly facets: Record<string, Array<{ value: string; count: number }>>;
  }
  const answer = await ask<Facets>(reader, 'catalog/entity-facets?facet=metadata.name');
  return answer.facets['metadata.name']!.map(({ value, count }) => {
    const ref = reader.refByName.get(value);
    if (ref === undefined || count !== 1) throw new Error(`${count} times ${value}`);
    return ref;
  });
};

export const byRefs: Reading = async (reader, refs) => {
  const body = {
    entityRefs: refs,
    fields: ['kind', 'metadata.name', 'metadata.namespace'],
  };
  const { items } = await ask<{ items: Array<ListedEntity | null> }>(
    reader,
    'catalog/entities/by-refs',
    body,
  );
  return items.flatMap(item => (item === null ? [] : [refOf(item)]));
};

interface Checked {
  readonly items: ReadonlyArray<{ readonly result: string | readonly string[] }>;
}

const { permission } = onEntity('catalog.entity.read', 'read');

/** One item for all entities; a constant decision is returned as one result. */
export const checks: Reading = async (reader, refs) => {
  const items = [{ id: 'all', permission, resourceRef: refs }];
  const answer = await ask<Checked>(reader, 'permission/authorize', { items });
  const result = answer.items[0]!.result;
  if (typeof result === 'string') return result === 'ALLOW' ? [...refs] : [];
  return allowed(refs, result);
};

/** One item per entity, a few at a time, because the host repeats the conditions in each. */
export const checksOneByOne: Reading = async (reader, refs) => {
  const found: string[] = [];
  for (let start = 0; start < refs.length; start += 10) {
    const some = refs.slice(start, start + 10);
    const items = some.map(ref => ({ id: ref, permission, resourceRef: ref }));
    const answer = await ask<Checked>(reader, 'permission/authorize', { items });
    found.push(
      ...allowed(
        some,
        answer.items.map(item => String(item.result)),
      ),
    );
  }
  return found;
};

function allowed(refs: readonly string[], results: readonly string[]): string[] {
  if (results.length !== refs.length) {
    throw new Error(`${refs.length} checks got ${results.length} results`);
  }
  return refs.filter((_ref, index) => results[index] === 'ALLOW');
}

export const LISTS: Readonly<Record<string, Reading>> = {
  entities,
  'by-query': byQuery,
  facets,
};
