import { mkdtemp, readFile, rm, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerDependencies } from '../../package.json';
import { until } from '../support/until';
import { run, shell } from './commands';
import {
  copies,
  installHost,
  nestCopy,
  packRouter,
  pinsOf,
  startHost,
  untilReady,
  type Host,
  type Manager,
  type Running,
} from './host';
import { chosenReleases } from './releases';

const MANAGERS: readonly Manager[] = ['yarn', 'npm'];
const releases = chosenReleases();
const rows = releases.flatMap(release =>
  MANAGERS.map(manager => ({ release, manager, name: release.name })),
);

let work: string;
let env: NodeJS.ProcessEnv;
let tarball: string;

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'releases-'));
  env = await shell(join(work, 'shell'));
  tarball = await packRouter(work, env);
}, 900_000);

afterAll(() => rm(work, { recursive: true, force: true }));

describe.each(rows)(
  'Backstage $name, installed with $manager',
  ({ release, manager }) => {
    let host: Host;
    let backend: Running;
    let token: string;

    beforeAll(async () => {
      const folder = join(work, `${release.name}-${manager}`);
      await mkdir(folder);
      host = await installHost(release, manager, { folder, env, tarball });
      backend = await startHost(host);
      await untilReady(backend);
      token = await backend.guest();
      await until(async () => {
        const names = await listed();
        return names.length === 2;
      }, 'the catalog has the entities of the guests').catch((error: Error) => {
        throw new Error(`${error.message}:\n${backend.output().slice(-4000)}`);
      });
    }, 1_800_000);

    afterAll(async () => {
      await backend?.stop();
      if (host) await rm(host.folder, { recursive: true, force: true });
    });

    const get = (path: string) =>
      fetch(`${backend.url}${path}`, { headers: { authorization: token } });

    async function listed(): Promise<string[]> {
      const answer = await get('/api/catalog/entities/by-query?filter=kind=component');
      const { items } = (await answer.json()) as {
        items: Array<{ metadata: { name: string } }>;
      };
      return items.map(item => item.metadata.name).sort();
    }

    async function authorize(
      permission: object,
      resourceRef?: string,
    ): Promise<string> {
      const answer = await fetch(`${backend.url}/api/permission/authorize`, {
        method: 'POST',
        headers: { authorization: token, 'content-type': 'application/json' },
        body: JSON.stringify({ items: [{ id: '1', resourceRef, permission }] }),
      });
      const { items } = (await answer.json()) as { items: Array<{ result: string }> };
      return items[0]!.result;
    }

    const deleteEntity = {
      type: 'resource',
      name: 'catalog.entity.delete',
      resourceType: 'catalog-entity',
      attributes: { action: 'delete' },
    };
    const basic = (name: string, action: string) => ({
      type: 'basic',
      name,
      attributes: { action },
    });

    it('says at start what is in force', () => {
      expect(backend.output()).toMatch(/The policy router is the permission policy: /);
    });

    it('has one copy of each package that the router imports, the one of the release', async () => {
      const names = Object.keys(peerDependencies);
      const found = await copies(host, names);
      const pins = await pinsOf(release.name);
      expect(found).toEqual(
        Object.fromEntries(
          names.map(name => [name, [pins[name] ?? expect.any(String)]]),
        ),
      );
    });

    it('allows an owner and denies a stranger', async () => {
      await expect(
        Promise.all([
          authorize(deleteEntity, 'component:default/example-website'),
          authorize(deleteEntity, 'component:default/strange-website'),
        ]),
      ).resolves.toEqual(['ALLOW', 'DENY']);
    });

    it('applies conditions that two sources combine', async () => {
      await expect(
        authorize(deleteEntity, 'component:default/protected-website'),
      ).resolves.toBe('DENY');
    });

    it('filters a list', async () => {
      await expect(listed()).resolves.toEqual(['example-website', 'protected-website']);
    });

    it('evaluates Rego in the backend', async () => {
      await expect(
        Promise.all([
          authorize(basic('scaffolder.task.create', 'create')),
          authorize(basic('scaffolder.unknown', 'create')),
        ]),
      ).resolves.toEqual(['ALLOW', 'DENY']);
    });

    it('asks a hosted policy', async () => {
      await expect(
        Promise.all([
          authorize(basic('catalog.location.read', 'read')),
          authorize(basic('catalog.location.create', 'create')),
        ]),
      ).resolves.toEqual(['ALLOW', 'DENY']);
    });

    it('decides the same by the command, without the backend', async () => {
      const command = join(host.folder, 'node_modules/.bin/policy-router');
      const options = { cwd: host.folder, env: { ...host.env, PORT: '0' } };
      const checked = await run(command, ['check', '--strict'], options);
      expect(checked).toContain('ok: 4 routes');
      const tested = await run(command, ['test', 'tests.yaml'], options);
      expect(tested).toMatch(/^5 passed$/m);
    });

    it('logs no warning and no error', () => {
      const lines = backend.output().split('\n');
      expect(
        lines.filter(line => /policy router/i.test(line) && /warn|error/i.test(line)),
      ).toEqual([]);
    });

    if (release.name === '1.43' && manager === 'npm') {
      it('names the release it needs, where a newer copy cannot be loaded', async () => {
        await nestCopy(host, '@backstage/backend-plugin-api');
        const broken = await startHost(host);
        try {
          await until(
            () => /older than Backstage 1\.48/.test(broken.output()),
            'it says so',
          );
        } finally {
          await broken.stop();
        }
      });
    }
  },
);

it.each(releases)('the README has a row for $name', async ({ name }) => {
  const readme = await readFile(join(__dirname, '../../README.md'), 'utf8');
  expect(readme.split('\n').filter(line => line.startsWith(`| ${name} `))).toHaveLength(
    1,
  );
});
