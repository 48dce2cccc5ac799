/**
 * The manifests of config/kubernetes/: the router reads its part, and OPA takes its own. CI checks them
 * against the schemas of Kubernetes.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request, Client } from 'undici';
import { parse } from 'yaml';
import { runPolicyRouter } from '../support/cli';
import { folderWith, removeFolders } from '../support/folder';
import type { OpaServer } from '../support/opa-server';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';
import { BundleStore } from './bundle-store';
import { startManifestOpa, type ManifestOpa } from './manifest-opa';
import { configMap, moved, podSpec } from './manifests';
import { buildBundle, makeSigningKey, type SigningKey } from './signed-bundle';

afterAll(removeFolders);

it('the router reads its config and the table without a warning', async () => {
  const folder = folderWith();
  const files = configMap('policy-router');
  const config = moved(files['app-config.policy-router.yaml']!, {
    '/etc/policy-router': folder,
  });
  const written = folderWith({ 'app-config.yaml': config });
  writeFileSync(join(folder, 'routing.yaml'), files['routing.yaml']!);
  const checked = await runPolicyRouter([
    'check',
    '--strict',
    ...['--config', join(written, 'app-config.yaml')],
  ]);
  expect(checked).toMatchObject({ code: 0, err: '' });
});

describe('the pod', () => {
  const { initContainers, containers, volumes } = podSpec();
  const all = [...initContainers, ...containers];
  const [backstage] = containers;

  it('mounts folders, because a file that is mounted by itself never changes', () => {
    const mounts = all.flatMap(({ volumeMounts }) => volumeMounts);
    expect(mounts.filter(({ subPath }) => subPath !== undefined)).toEqual([]);
    const names = volumes.map(({ name }) => name);
    expect(mounts.filter(({ name }) => !names.includes(name))).toEqual([]);
  });

  it('has the files where Backstage and OPA look for them', () => {
    const source = (mountPath: string): unknown => {
      const mount = all
        .flatMap(({ volumeMounts }) => volumeMounts)
        .find(each => each.mountPath === mountPath);
      return volumes.find(({ name }) => name === mount?.name);
    };
    expect(source('/etc/policy-router')).toMatchObject({
      configMap: { name: 'policy-router' },
    });
    expect(source('/etc/opa')).toMatchObject({ configMap: { name: 'opa' } });
    expect(backstage!.command).toContain(
      '--config=/etc/policy-router/app-config.policy-router.yaml',
    );
  });

  it('asks OPA on the socket that both mount', () => {
    const { permission } = parse(
      configMap('policy-router')['app-config.policy-router.yaml']!,
    ) as { permission: { policyRouter: { sources: { opa: { baseUrl: string } } } } };
    expect(permission.policyRouter.sources.opa.baseUrl).toBe('unix:/run/opa/opa.sock');
    for (const { volumeMounts } of all) {
      expect(volumeMounts).toContainEqual({
        name: 'opa-socket',
        mountPath: '/run/opa',
      });
    }
  });

  it('keeps OPA for longer than Backstage', () => {
    // A native sidecar: started before the containers, ended after them.
    expect(initContainers).toMatchObject([{ name: 'opa', restartPolicy: 'Always' }]);
  });
});

describeWithOpa('OPA with the arguments and the config of the pod', () => {
  const REGO = (answer: string): string =>
    `package backstage_policy\n\ndecision := {"result": "${answer}"}\n`;
  const token = 'example-token';
  let folder: string;
  let store: BundleStore;
  let key: SigningKey;
  let bundles = 0;
  let opa: OpaServer | undefined;

  beforeAll(async () => {
    folder = folderWith();
    store = await BundleStore.start(token);
    key = await makeSigningKey(folder, 'policy');
  });
  afterEach(async () => {
    await opa?.stop();
    opa = undefined;
  });
  afterAll(() => store.stop());

  const publish = async (answer: string, by: SigningKey | undefined): Promise<void> => {
    const contents = { rego: REGO(answer), data: {} };
    const place = join(folder, `bundle-${bundles++}`);
    store.publish(await buildBundle(requireOpa(), place, contents, by));
  };

  async function start(): Promise<ManifestOpa> {
    const started = await startManifestOpa({
      binary: requireOpa(),
      folder: join(folder, 'pod'),
      publicKey: key.publicKey,
      store: { url: store.urlFor('pod'), token },
      polling: 1,
    });
    opa = started;
    return started;
  }

  async function ask(socket: string): Promise<unknown> {
    const client = new Client('http://localhost', { socketPath: socket });
    try {
      const { body } = await client.request({
        path: '/v1/data/backstage_policy/decision',
        method: 'POST',
        body: '{"input": {}}',
      });
      return await body.json();
    } finally {
      await client.close();
    }
  }

  it('takes signed bundles only, keeps the last good one, and lets nobody change it', async () => {
    await publish('ALLOW', key);
    const first = await start();
    expect(await ask(first.socket)).toEqual({ result: { result: 'ALLOW' } });
    // For the user of both containers only.
    expect(statSync(first.socket).mode & 0o777).toBe(0o700);

    const health = await request(`${first.url}/health?bundles`);
    expect(health.statusCode).toBe(200);
    await health.body.dump();

    for (const by of [await makeSigningKey(folder, 'stranger'), undefined]) {
      await publish('DENY', by);
      // It looks again, so it has refused what it got before.
      await until(() => store.downloaded('pod') >= 2, 'OPA looked twice');
      expect(await ask(first.socket)).toEqual({ result: { result: 'ALLOW' } });
    }

    const put = await request(`${first.url}/v1/policies/mine`, {
      method: 'PUT',
      body: REGO('DENY'),
    });
    expect(put.statusCode).toBe(400);
    expect(await put.body.text()).toContain('all paths owned by bundle');

    // It is killed, and the store has nothing good for it: it has kept what it had.
    first.kill('SIGKILL');
    await first.stop();
    const second = await start();
    expect(await ask(second.socket)).toEqual({ result: { result: 'ALLOW' } });
    second.kill('SIGKILL');
    await second.stop();
  });

  it('refuses a kept bundle that was changed, and does not listen without a policy', async () => {
    await publish('ALLOW', key);
    const good = store.published!;
    const first = await start();
    first.kill('SIGKILL');
    await first.stop();
    await publish('DENY', undefined);
    const kept = join(folder, 'pod/lib/bundles/policy/bundle.tar.gz');
    expect(existsSync(kept)).toBe(true);
    writeFileSync(kept, store.published!);
    const starting = start();
    await until(() => store.downloaded('pod') >= 2, 'OPA looked twice');
    await expect(ask(first.socket)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    store.publish(good);
    expect(await ask((await starting).socket)).toEqual({ result: { result: 'ALLOW' } });
  });
});
