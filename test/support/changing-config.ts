import type { RootConfigService } from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';

/** As much of Backstage's config as the router reads: its own part, which changes on demand. */
export class ChangingConfig {
  private readonly listeners = new Set<() => void>();

  constructor(private policyRouter: object) {}

  /** To hand to what asks for the whole service. */
  get service(): RootConfigService {
    return this as unknown as RootConfigService;
  }

  change(policyRouter: object): void {
    this.policyRouter = policyRouter;
    for (const listener of this.listeners) listener();
  }

  getOptional(key: string): unknown {
    return this.reader().getOptional(key);
  }

  getOptionalBoolean(key: string): boolean | undefined {
    return this.reader().getOptionalBoolean(key);
  }

  subscribe(listener: () => void): { unsubscribe: () => void } {
    this.listeners.add(listener);
    return { unsubscribe: () => this.listeners.delete(listener) };
  }

  private reader(): ConfigReader {
    const { policyRouter } = this;
    const permission = { enabled: true, policyRouter } as JsonObject;
    return new ConfigReader({ permission });
  }
}
