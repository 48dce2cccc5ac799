import { Agent, fetch, type RequestInit } from 'undici';
import { itemOf } from '../soak/load';
import type { PERSONAS, Asked } from '../soak/world';

export type PersonaName = keyof typeof PERSONAS;

/** Between these moments the answer was made. */
export interface Answered<T> {
  readonly from: number;
  readonly to: number;
  readonly value: T;
}

/** Asks one replica. The tokens may be from another one. */
export class Client {
  /** Without kept connections, which a busy backend closes while they are used. */
  private readonly agent = new Agent({ pipelining: 0 });
  private readonly underWay = new Set<{ readonly from: number }>();

  constructor(
    private readonly url: string,
    private readonly tokens: Readonly<Record<PersonaName, string>>,
  ) {}

  /** The results of these questions, put as one request. */
  async authorize(
    name: PersonaName,
    questions: readonly Asked[],
  ): Promise<Answered<string[]>> {
    return this.during(async () => {
      const { items } = (await this.ask(name, 'permission/authorize', {
        method: 'POST',
        body: JSON.stringify({ items: questions.map(itemOf) }),
      })) as { items: Array<{ result: string }> };
      return items.map(({ result }) => result);
    });
  }

  /** The names of the components that this user sees. */
  async components(name: PersonaName): Promise<Answered<string[]>> {
    return this.during(async () => {
      const { items } = (await this.ask(
        name,
        'catalog/entities/by-query?filter=kind=component',
      )) as { items: Array<{ metadata: { name: string } }> };
      return items.map(({ metadata }) => metadata.name);
    });
  }

  /** Whether the replica would ask each of its OPAs. */
  async asksEveryOpa(): Promise<boolean> {
    const { sources } = (await this.ask('petra', 'policy-router/v1/sources')) as {
      sources: Array<{ endpoints: Array<{ breaker?: { state: string } }> }>;
    };
    return sources.every(({ endpoints }) =>
      endpoints.every(({ breaker }) => (breaker?.state ?? 'closed') === 'closed'),
    );
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async ask(
    name: PersonaName,
    path: string,
    init: RequestInit = {},
  ): Promise<unknown> {
    const response = await fetch(`${this.url}/api/${path}`, {
      ...init,
      dispatcher: this.agent,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${this.tokens[name]}`,
      },
    });
    const text = await response.text();
    if (response.status !== 200) {
      throw new Error(`${path} answered HTTP ${response.status}: ${text}`);
    }
    return JSON.parse(text);
  }

  /**
   * An answer may be that to the same question of an earlier request, if that was under way: then it
   * may be as old as that request.
   */
  private async during<T>(request: () => Promise<T>): Promise<Answered<T>> {
    const now = performance.now();
    const from = Math.min(now, ...[...this.underWay].map(each => each.from));
    const mine = { from: now };
    this.underWay.add(mine);
    try {
      const value = await request();
      return { from, to: performance.now(), value };
    } finally {
      this.underWay.delete(mine);
    }
  }
}
