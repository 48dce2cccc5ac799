/** The commands of docs/testing.md, with a real OPA and a real backend. */
import { startBackend, type RunningBackend } from '../support/backend';
import { testCommandsOf } from '../support/documented-commands';
import { folderWith, removeFolders } from '../support/folder';
import { describeWithOpa, requireOpa } from '../support/with-opa';

describeWithOpa('docs/testing.md', () => {
  const folder = folderWith();
  let backend: RunningBackend;
  let token: string;

  beforeAll(async () => {
    backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        operators: ['group:default/platform'],
        sources: { ownership: { type: 'ownership' } },
        routes: [
          { prefix: 'catalog', sources: ['allow'] },
          {
            prefix: 'catalog.entity',
            actions: ['update', 'delete'],
            sources: ['ownership'],
          },
        ],
      },
    });
    token = await backend.signIn('petra');
    await backend.signIn('nolan');
  });

  afterAll(async () => {
    await backend?.stop();
    removeFolders();
  });

  testCommandsOf('docs/testing.md', {
    folder: () => folder,
    env: () => ({ OPA_BIN: requireOpa(), POLICY_ROUTER_TOKEN: token }),
    real: word => word.replace('http://localhost:7007', backend.url),
    steady: printed =>
      printed.replace(/ *\d+\.\d ms/g, time => '0.3 ms'.padStart(time.length)),
  });
});
