/** What it costs that decisions are kept and audited: the same router, with that on and off. */
import type { AuditorService } from '@backstage/backend-plugin-api';
import { WinstonRootAuditorService } from '@backstage/backend-defaults/auditor';
import { ConfigReader } from '@backstage/config';
import { inProcess, NO_OPA, nowhere, quietLogger, routerTo } from './contestants';
import type { Contestant } from './drive';

const CREDENTIALS = { principal: { type: 'service', subject: 'plugin:permission' } };

/** Backstage's own, which formats each event as JSON and discards it. */
const auditor = (): AuditorService =>
  WinstonRootAuditorService.create({ transports: [nowhere()] }).forPlugin({
    auth: {
      getOwnServiceCredentials: async () => CREDENTIALS,
      isPrincipal: (_credentials: unknown, type: string) => type === 'service',
    } as never,
    httpAuth: {} as never,
    plugin: { getId: () => 'permission' },
    config: new ConfigReader({}),
  });

export interface VisibilityContestants {
  /** Each is compared with the first of its kind. */
  readonly groups: ReadonlyArray<readonly [Contestant, ...Contestant[]]>;
  close(): void;
}

const RESULTS = { ownership: 'CONDITIONAL', deny: 'DENY' } as const;

export async function visibilityContestants(): Promise<VisibilityContestants> {
  const routers: Array<{ close(): void }> = [];
  const contestant = async (
    source: keyof typeof RESULTS,
    recentDecisions: number,
    audit: 'off' | 'denials' | 'all',
  ): Promise<Contestant> => {
    const router = await routerTo(source, NO_OPA, quietLogger(), {
      auditor: auditor(),
      recentDecisions,
      audit,
    });
    routers.push(router);
    const name = `${source}, recent ${recentDecisions}, audit ${audit}`;
    return inProcess(name, router.undelayed, RESULTS[source]);
  };
  const group = async (source: keyof typeof RESULTS) =>
    [
      await contestant(source, 0, 'off'),
      await contestant(source, 500, 'off'),
      await contestant(source, 500, 'denials'),
      await contestant(source, 500, 'all'),
    ] as const;
  return {
    groups: [await group('ownership'), await group('deny')],
    close: () => routers.forEach(router => router.close()),
  };
}
