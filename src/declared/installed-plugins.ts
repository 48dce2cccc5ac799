import { createServiceFactory, createServiceRef } from '@backstage/backend-plugin-api';

/** The plugins of the system, or of this backend. */
export interface InstalledPlugins {
  /** Their ids; none if the host cannot list them. */
  list(): Promise<readonly string[]>;
  /** Whether the host can list them. */
  readonly isKnown: boolean;
}

interface Lister {
  getInstalledPlugins?(): Promise<ReadonlyArray<{ readonly pluginId: string }>>;
}

/**
 * A service of the host by its id, if the host has it. Older releases have neither the service nor
 * its reference, and a dependency on a service that is missing would fail the start.
 */
const ofHost = (id: string) =>
  createServiceRef<Lister>({
    id,
    scope: 'root',
    defaultFactory: service =>
      Promise.resolve(createServiceFactory({ service, deps: {}, factory: () => ({}) })),
  });

/** Lists the plugins of the whole system where the host knows them, else those of this backend. */
export const installedPlugins = createServiceRef<InstalledPlugins>({
  id: 'policy-router.installed-plugins',
  scope: 'root',
  defaultFactory: service =>
    Promise.resolve(
      createServiceFactory({
        service,
        deps: {
          system: ofHost('core.rootSystemMetadata'),
          instance: ofHost('core.rootInstanceMetadata'),
        },
        factory: ({ system, instance }) => {
          const lister = system.getInstalledPlugins ? system : instance;
          return {
            isKnown: lister.getInstalledPlugins !== undefined,
            list: async () =>
              ((await lister.getInstalledPlugins?.()) ?? []).map(each => each.pluginId),
          };
        },
      }),
    ),
});
