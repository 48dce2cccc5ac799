/**
 * Follows the steps of the README in a new app that create-app makes, and sees what the README says
 * one sees. It differs from a reader in five ways:
 *
 * - The package comes from a checkout, as docs/install.md says, not from a registry.
 * - The app's frontend is not installed.
 * - The native part of the database is the one that this project has built.
 * - The versions of packages are pinned. For a reader, create-app fetches a lock file.
 * - Port 7007 is another one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Guide } from '../support/guide';
import { until } from '../support/until';
import { gather, run, runPatiently, shell } from './commands';
import { freePort, PACKAGE, packRouter, pinsOf, useBuiltSqlite } from './host';
import { cloudPins, installWith } from './install';
import { NEW_APP, RELEASES } from './releases';

const { createApp } = RELEASES.at(-1)!;
/** Create-app and the scaffolded app refuse older ones. */
const isSupported = Number(process.versions.node.split('.')[0]) >= 22;
const STEPS = 'Install it in ten minutes';

(isSupported ? describe : describe.skip)('the way from a new app', () => {
  const readme = new Guide('README.md');
  const install = new Guide('docs/install.md');
  let work: string;
  let app: string;
  let env: NodeJS.ProcessEnv;
  let port: string;
  let stop: () => Promise<void> = () => Promise.resolve();

  const shownAs = (text: string): string => text.replaceAll('7007', port);

  /** Runs a block as it is, in the root of the app. */
  const paste = (block: string): Promise<string> =>
    run('bash', ['-euo', 'pipefail', '-c', shownAs(block)], { cwd: app, env });

  const edit = async (
    file: string,
    change: (text: string) => string,
  ): Promise<void> => {
    const path = join(app, file);
    const before = await readFile(path, 'utf8');
    const after = change(before);
    expect(after).not.toBe(before);
    await writeFile(path, after);
  };

  /** From a key without indentation to the next such line. */
  const replaceSection = (key: string, block: string) =>
    edit('app-config.yaml', text =>
      text.replace(new RegExp(`^${key}:\n(([ #].*)?\n)*`, 'm'), () => `${block}\n`),
    );

  /** Runs the step's command until the backend has the catalog; returns what it printed. */
  async function start(): Promise<string> {
    await stop();
    const [, command] = readme.all(STEPS, 'sh');
    const child = spawn('bash', ['-c', command!], {
      cwd: app,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = gather(child);
    const ended = once(child, 'close');
    stop = async () => {
      stop = () => Promise.resolve();
      process.kill(-child.pid!, 'SIGKILL');
      await ended;
    };
    try {
      await until(hasEntity, 'the catalog has the entity');
    } catch (error) {
      throw new Error(`${String(error)}:\n${output().slice(-6000)}`);
    }
    return output();
  }

  /** A reader of the README waits a few seconds for it. */
  async function hasEntity(): Promise<boolean> {
    const url = `http://localhost:${port}/api`;
    try {
      const { backstageIdentity } = (await (
        await fetch(`${url}/auth/guest/refresh`)
      ).json()) as { backstageIdentity: { token: string } };
      const entity = await fetch(
        `${url}/catalog/entities/by-name/component/default/example-website`,
        { headers: { authorization: `Bearer ${backstageIdentity.token}` } },
      );
      return entity.status === 200;
    } catch {
      return false;
    }
  }

  const ask = (): Promise<string> => paste(readme.all(STEPS, 'sh')[2]!);
  const answer = (index: number): unknown =>
    JSON.parse(readme.all(STEPS, 'json')[index]!);

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'walk-'));
    env = { ...(await shell(join(work, 'shell'))), YARN_ENABLE_SCRIPTS: '0' };
    port = String(await freePort());
    app = join(work, 'portal');
    await runPatiently(
      'npm',
      ['install', '--no-audit', '--no-fund', `@backstage/create-app@${createApp}`],
      { cwd: join(work, 'shell'), env },
    );
    await run(
      join(work, 'shell/node_modules/.bin/backstage-create-app'),
      ['--skip-install', '--path', app],
      { cwd: work, env: { ...env, BACKSTAGE_APP_NAME: 'portal' } },
    );
    await edit('packages/app/package.json', text => {
      const { name, version, backstage } = JSON.parse(text) as Record<string, unknown>;
      return JSON.stringify({ name, version, backstage, private: true });
    });
    await edit('app-config.yaml', text => text.replaceAll('7007', port));
    const checkout = join(work, PACKAGE);
    await mkdir(checkout);
    await packRouter(checkout, env);
  }, 900_000);

  afterAll(async () => {
    await stop();
    await rm(work, { recursive: true, force: true });
  });

  it('1. adds the package', async () => {
    const [, fromCheckout] = install.all('From a checkout', 'sh');
    const pins = { ...(await pinsOf(NEW_APP)), ...(await cloudPins()) };
    await installWith(pins, async () => {
      const path = join(app, 'package.json');
      const root = JSON.parse(await readFile(path, 'utf8')) as { resolutions: object };
      const resolutions = { ...root.resolutions, ...pins };
      await writeFile(path, JSON.stringify({ ...root, resolutions }));
      await paste(fromCheckout!);
    });
    await useBuiltSqlite(app);
    // What the README shows, with the name that the registry will have.
    expect(readme.all(STEPS, 'sh')[0]!.trim().split(' ').slice(0, 4)).toEqual([
      'yarn',
      '--cwd',
      'packages/backend',
      'add',
    ]);
    expect(fromCheckout).toContain(`${readme.all(STEPS, 'sh')[0]!.trim()}@file:`);
  }, 900_000);

  it('2. replaces the policy', async () => {
    const { before, after } = readme.change(STEPS);
    await edit('packages/backend/src/index.ts', text => text.replace(before, after));
  });

  it('3. and 4. start with the table', async () => {
    await replaceSection('permission', readme.all(STEPS, 'yaml')[0]!);
    const [line] = readme.all(STEPS, 'text');
    // The digest is another one whenever a setting gets a default.
    const [shown] = line!.trim().split(' Digest ');
    await expect(start()).resolves.toContain(`${shown} Digest `);
  }, 600_000);

  it('5. denies a stranger', async () => {
    expect(JSON.parse(await ask())).toEqual(answer(0));
  });

  it('6. allows an owner', async () => {
    const parents = 'auth:\n  providers:\n';
    const [, block] = readme.all(STEPS, 'yaml');
    expect(block).toMatch(parents);
    const guest = block!.slice(parents.length);
    await edit('app-config.yaml', text => text.replace('    guest: {}\n', guest));
    await start();
    expect(JSON.parse(await ask())).toEqual(answer(1));
  }, 600_000);

  it('7. tightens the table', async () => {
    await paste(readme.all(STEPS, 'sh')[3]!);
    await replaceSection('permission', readme.all(STEPS, 'yaml')[2]!);
    await start();
    expect(JSON.parse(await ask())).toEqual(answer(2));
  }, 600_000);
});
