/** What it costs that decisions are kept and audited: the same router, with that on and off. */
import type { AuditorService } from '@backstage/backend-plugin-api';
import { WinstonRootAuditorService } from '@backstage/backend-defaults/auditor';
import { ConfigReader } from '@backstage/config';
import { contestantOf, type Named } from './handle/questions';
import { measureVariants } from './variants';
import { nowhere, routerTo } from './shipped-router';
import type { Section } from './section';

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

const RESULTS = { ownership: 'CONDITIONAL', deny: 'DENY' } as const;

const VARIANTS = [
  ['recentDecisions: 0, audit: off', 0, 'off'],
  ['recentDecisions: 500, audit: off', 500, 'off'],
  ['recentDecisions: 500, audit: denials', 500, 'denials'],
  ['recentDecisions: 500, audit: all', 500, 'all'],
] as const;

export const visibility: Section = {
  id: 'visibility',
  async measure(run) {
    const routers: Array<{ close(): void }> = [];
    const groups = await Promise.all(
      (['ownership', 'deny'] as const).map(async source => ({
        title: RESULTS[source],
        variants: await Promise.all(
          VARIANTS.map(async ([title, recentDecisions, audit]): Promise<Named> => {
            const router = await routerTo(source, {
              auditor: auditor(),
              settings: { recentDecisions, audit },
            });
            routers.push(router);
            return {
              id: title,
              title,
              isRouter: true,
              inProcess: true,
              policy: router.undelayed,
              expected: RESULTS[source],
            };
          }),
        ),
      })),
    );
    try {
      return await measureVariants(run, {
        id: 'visibility',
        title: 'Decisions that are kept and audited',
        text: 'The time of one decision of `ownership`, which is CONDITIONAL, and of `deny`, in this process and without HTTP, as a multiple of what it takes without keeping or auditing.',
        groups: groups.map(({ title, variants }) => ({
          title,
          variants: variants.map(each => contestantOf(each, 'equal')),
        })),
      });
    } finally {
      for (const router of routers) router.close();
    }
  },
};
