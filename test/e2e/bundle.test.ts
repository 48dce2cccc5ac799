/** The committed Wasm bundle, the committed Rego and a real OPA decide alike. */
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import type { Permission } from '@backstage/plugin-permission-common';
import type { Answer } from '../../src/answer';
import { BUNDLE, buildArguments, ENTRYPOINT, POLICY } from '../../dev/build-bundle';
import { OpaSource } from '../../src/sources/opa/source';
import { Cancellation } from '../../src/sources/source';
import { OpaWasmSource } from '../../src/sources/opa-wasm/source';
import { unpackBundle } from '../../src/sources/opa-wasm/bundle';
import type { PermissionRequest } from '../../src/request';
import { authorize, basic, startBackend, temporaryFolder } from '../support/backend';
import { CapturedLogs } from '../support/captured-logs';
import { startOpa } from '../support/opa-server';
import { buildBundle } from '../support/wasm-bundle';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const run = promisify(execFile);

const permissions: readonly Permission[] = [
  ...catalogPermissions,
  // By name only, as a page asks that knows no resource.
  ...[
    'catalog.entity.read',
    'catalog.entity.delete',
    'catalog.entity.refresh',
    'scaffolder.template.parameter.read',
    'scaffolder.task.create',
    'scaffolder.action.execute',
    'devtools.config',
    'kubernetes.proxy',
    'an.unheard.of.permission',
    'catalog.entity.read.__proto__',
    'half a pair \ud83d',
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
  {
    userEntityRef: 'user:default/half',
    ownershipEntityRefs: ['user:default/\udc00\ud83d', '\\ud83d', '\u0000\u2028'],
  },
];

const requests: readonly PermissionRequest[] = permissions.flatMap(permission =>
  principals.map(principal => ({ permission, principal })),
);

/** The answer without the HTTP exchange, which differs. */
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
    const embedded = await OpaWasmSource.load(
      { bundle: BUNDLE, entrypoint: ENTRYPOINT },
      'embedded',
      new CapturedLogs().logger(),
    );
    try {
      const kinds = new Set<string>();
      for (const request of requests) {
        const fromServer = verdictOf(
          await server.prepare(request).put(new Cancellation()),
        );
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
      await embedded.close();
      await server.close();
      await opa.stop();
    }
  });

  it('is what the committed Rego compiles to', async () => {
    const folder = await temporaryFolder();
    const fresh = join(folder, 'bundle.tar.gz');
    await run(requireOpa(), buildArguments(fresh));
    const [committed, built] = await Promise.all([
      readFile(BUNDLE).then(unpackBundle),
      readFile(fresh).then(unpackBundle),
    ]);
    await rm(folder, { recursive: true });
    expect(committed.wasm.equals(built.wasm)).toBe(true);
    expect(committed.data).toBe(built.data);
  });
});

describeWithOpa('a bundle that changes under a running backend', () => {
  const entrypoint = 'tested/decision';
  const bundleThatSays = (result: string): Promise<Buffer> =>
    buildBundle(
      requireOpa(),
      `package tested\nimport rego.v1\ndecision := {"result": "${result}"}\n`,
      entrypoint,
    );

  it('decides from then on; if the new one is corrupt, the last good one stays in use', async () => {
    const folder = await temporaryFolder();
    const bundle = join(folder, 'bundle.tar.gz');
    await writeFile(bundle, await bundleThatSays('ALLOW'));
    const backend = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: { embedded: { type: 'opa-wasm', bundle, entrypoint } },
        routes: [{ prefix: 'tested', sources: ['embedded'] }],
      },
    });
    try {
      const token = await backend.signIn('nolan');
      const decided = () =>
        authorize(backend.url, token, [basic('tested.a'), basic('tested.b')]);
      const allowed = { status: 200, results: ['ALLOW', 'ALLOW'] };
      expect(await decided()).toEqual(allowed);

      const denying = await bundleThatSays('DENY');
      await writeFile(bundle, denying.subarray(0, denying.length >> 1));
      const refused = await backend.logs.waitFor("Source 'embedded': the changed");
      expect(refused.level).toBe('error');
      expect(refused.message).toContain('its gzip data is truncated');
      expect(await decided()).toEqual(allowed);

      await writeFile(bundle, denying);
      const inUse = await backend.logs.waitFor('has changed and is in use');
      expect(inUse.message).toContain("Source 'embedded': the bundle");
      expect(await decided()).toEqual({ status: 200, results: ['DENY', 'DENY'] });
    } finally {
      await backend.stop();
      await rm(folder, { recursive: true });
    }
  });
});

describeWithOpa('the committed Rego', () => {
  it('passes its own tests', async () => {
    const { stdout } = await run(requireOpa(), ['test', 'config/policies']);
    expect(stdout).toMatch(/^PASS: (\d+)\/\1$/m);
  });

  it('is the only policy in its folder, so loading the folder loads nothing stale', async () => {
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
