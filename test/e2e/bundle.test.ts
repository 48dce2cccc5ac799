/** The committed Wasm bundle, the committed Rego and a real OPA are one policy. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import type { Permission } from '@backstage/plugin-permission-common';
import { BUNDLE, buildArguments, ENTRYPOINT, POLICY } from '../../dev/build-bundle';
import { OpaSource } from '../../src/sources/opa/source';
import { Cancellation } from '../../src/sources/source';
import { OpaWasmSource } from '../../src/sources/opa-wasm/source';
import { readBundle } from '../../src/sources/opa-wasm/bundle';
import type { PermissionRequest } from '../../src/request';
import type { Answer } from '../../src/sources/source';
import { temporaryFolder } from '../support/backend';
import { startOpa } from '../support/opa-server';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const run = promisify(execFile);

const permissions: readonly Permission[] = [
  ...catalogPermissions,
  ...[
    'scaffolder.template.parameter.read',
    'scaffolder.task.create',
    'scaffolder.action.execute',
    'devtools.config',
    'kubernetes.proxy',
    'an.unheard.of.permission',
    'catalog.entity.read.__proto__',
    '',
  ].map((name): Permission => ({ type: 'basic', name, attributes: {} })),
];

const principals = [
  { ownershipEntityRefs: [] },
  { userEntityRef: 'user:default/olivia', ownershipEntityRefs: [] },
  {
    userEntityRef: 'user:default/olivia',
    ownershipEntityRefs: ['user:default/olivia', 'group:default/payments'],
  },
  {
    userEntityRef: 'user:default/petra',
    ownershipEntityRefs: ['user:default/petra', 'group:default/platform'],
  },
  {
    userEntityRef: 'user:default/zoë',
    ownershipEntityRefs: ['user:default/zoë "quoted" \\'],
  },
];

const requests: readonly PermissionRequest[] = permissions.flatMap(permission =>
  principals.map(principal => ({ permission, principal })),
);

/** The answer without what went over the wire, which differs. */
const verdictOf = (answer: Answer) => ({ ...answer, exchange: undefined });

describeWithOpa('the committed bundle', () => {
  it('decides every example input as a real OPA with the committed Rego does', async () => {
    const opa = await startOpa({ binary: requireOpa(), policies: [POLICY] });
    const server = new OpaSource({
      baseUrl: opa.url,
      entrypoint: ENTRYPOINT,
      concurrency: 4,
      connectTimeout: 2000,
      maxResponseBytes: 1_048_576,
    });
    const embedded = await OpaWasmSource.load({
      bundle: BUNDLE,
      entrypoint: ENTRYPOINT,
    });
    try {
      const kinds = new Set<string>();
      for (const request of requests) {
        const fromServer = verdictOf(await server.ask(request, new Cancellation()));
        const fromWasm = verdictOf(embedded.ask(request));
        expect({ request, verdict: fromWasm }).toEqual({
          request,
          verdict: fromServer,
        });
        kinds.add(fromServer.kind);
      }
      expect([...kinds].sort()).toEqual([
        'ALLOW',
        'CONDITIONAL',
        'DENY',
        'NOT_APPLICABLE',
      ]);
    } finally {
      await server.close();
      await opa.stop();
    }
  });

  it('is what the committed Rego compiles to', async () => {
    const folder = await temporaryFolder();
    const fresh = join(folder, 'bundle.tar.gz');
    await run(requireOpa(), buildArguments(fresh));
    const [committed, built] = await Promise.all([
      readBundle(BUNDLE),
      readBundle(fresh),
    ]);
    await rm(folder, { recursive: true });
    expect(committed.wasm.equals(built.wasm)).toBe(true);
    expect(committed.data).toEqual(built.data);
  });
});

describeWithOpa('the committed Rego', () => {
  it('passes its own tests', async () => {
    const { stdout } = await run(requireOpa(), ['test', 'config/policies']);
    expect(stdout).toMatch(/^PASS: (\d+)\/\1$/m);
  });

  it('is the only policy in its folder, so that loading the folder loads nothing stale', async () => {
    const { stdout } = await run(requireOpa(), [
      'inspect',
      '--format',
      'json',
      'config/policies',
    ]);
    const { namespaces } = JSON.parse(stdout) as {
      namespaces: Record<string, string[]>;
    };
    expect(namespaces['data.backstage_policy']).toEqual([POLICY]);
  });
});
