/** What the backends are asked, and what they must answer. */

/** Whether questions differ from each other, and whose they are. */
export type Kind = 'distinct' | 'equal' | 'conditional';

/** How many questions one request has, and how many clients ask at once. */
export interface Shape {
  readonly items: number;
  readonly concurrency: number;
}

/** The user who asks. */
export const USER_REF = 'user:default/dana';
export const CLAIMS = [USER_REF, 'group:default/payments', 'group:default/berlin'];

/** One in so many distinct questions is about a name that is denied. */
const DENIED_EVERY = 101;

/** The body of a request, and the results that its items must have. */
export interface Request {
  readonly body: string;
  /** The position of the item that must be denied by those who look at the name; or -1. */
  readonly denied: number;
}

/** Makes one request after the other. */
export type Requests = () => Request;

/** Across all contestants, so that no name is ever asked twice. */
let asked = 0;

/** @param kind - with `distinct`, no two questions are the same. */
export function requestsOf(kind: Kind, items: number): Requests {
  if (kind === 'distinct') return () => distinctRequest(items);
  const of = kind === 'equal' ? openItem : entityItem;
  const body = bodyOf(Array.from({ length: items }, (_, index) => of(index, index)));
  return () => ({ body, denied: -1 });
}

function distinctRequest(items: number): Request {
  let denied = -1;
  const list = Array.from({ length: items }, (_, index) => {
    const number = ++asked;
    if (denied !== -1 || number % DENIED_EVERY !== 0) return openItem(index, number);
    denied = index;
    return basicItem(index, `closed.q${number}.read`);
  });
  return { body: bodyOf(list), denied };
}

const bodyOf = (items: readonly string[]): string => `{"items":[${items.join(',')}]}`;

const openItem = (id: number, number: number): string =>
  basicItem(id, `open.q${number}.read`);

const basicItem = (id: number, name: string): string =>
  `{"id":"${id}","permission":{"type":"basic","name":"${name}","attributes":{"action":"read"}}}`;

/** About any entity, as the catalog asks before it makes a list. */
const entityItem = (id: number, number: number): string =>
  `{"id":"${id}","permission":{"type":"resource","name":"catalog.entity.q${number}.read",` +
  `"attributes":{"action":"read"},"resourceType":"catalog-entity"}}`;

/**
 * How a contestant decides: always ALLOW; ALLOW unless asked about entities; as the policy of the
 * benchmark says; or always DENY.
 */
export type Decides = 'allows' | 'allows basic' | 'by name' | 'denies';

/** Checks the bodies of responses. Bodies that were found right once are compared as text. */
export class Answers {
  private readonly right = new Map<number, string>();

  constructor(
    private readonly kind: Kind,
    private readonly items: number,
    private readonly decides: Decides,
  ) {}

  /** Whether each item has the result that it must have. */
  isRight(status: number, body: string, { denied }: Request): boolean {
    if (status !== 200) return false;
    const position = this.decides === 'by name' ? denied : -1;
    if (this.right.get(position) === body) return true;
    if (!this.isRightWhenRead(body, position)) return false;
    this.right.set(position, body);
    return true;
  }

  private isRightWhenRead(body: string, denied: number): boolean {
    const { items } = JSON.parse(body) as { items: Answer[] };
    return (
      items.length === this.items &&
      items.every(
        (item, index) =>
          item.id === String(index) &&
          (index === denied ? item.result === 'DENY' : this.isGranted(item)),
      )
    );
  }

  private isGranted({ result, pluginId, conditions }: Answer): boolean {
    if (this.decides === 'denies') return result === 'DENY';
    if (this.kind !== 'conditional' || this.decides === 'allows') {
      return result === 'ALLOW';
    }
    // Ownership joins its conditions by anyOf, also a single one.
    const { rule, params } = conditions?.anyOf?.[0] ?? conditions ?? {};
    return (
      result === 'CONDITIONAL' &&
      pluginId === 'catalog' &&
      rule === 'IS_ENTITY_OWNER' &&
      CLAIMS.every(claim => params?.claims?.includes(claim))
    );
  }
}

interface Answer {
  readonly id: string;
  readonly result: string;
  readonly pluginId?: string;
  readonly conditions?: Condition & { readonly anyOf?: readonly Condition[] };
}

interface Condition {
  readonly rule?: string;
  readonly params?: { readonly claims?: readonly string[] };
}
