import type { RootConfigService } from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';

/** A Backstage config whose `permission.policyRouter` changes on demand. */
export class ChangingConfig {
  private readonly listeners = new Set<() => void>();

  /** @param rest - further app-config, which stays. */
  constructor(
    private policyRouter: object,
    private readonly rest: object = {},
  ) {}

  /** As Backstage hands it out. */
  readonly service: RootConfigService = new Proxy({} as RootConfigService, {
    get: (_target, key) =>
      key === 'subscribe'
        ? this.subscribe
        : (Reflect.get(this.reader(), key) as unknown),
  });

  change(policyRouter: object): void {
    this.policyRouter = policyRouter;
    for (const listener of this.listeners) listener();
  }

  private readonly subscribe = (listener: () => void): { unsubscribe: () => void } => {
    this.listeners.add(listener);
    return { unsubscribe: () => this.listeners.delete(listener) };
  };

  private reader(): ConfigReader {
    const { policyRouter, rest } = this;
    const permission = { enabled: true, policyRouter };
    return new ConfigReader({ permission, ...rest });
  }
}
