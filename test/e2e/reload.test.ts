/** Hot reload of the routing table: from a file of its own, inline, and through $include. */
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  authorize,
  basic,
  startBackend,
  temporaryFolder,
  type RunningBackend,
} from '../support/backend';

const IN_USE = 'The changed config is in use';
const REFUSED = 'The changed config is not used, the last good one stays';

const table = (verdict: 'allow' | 'deny'): object => ({
  fallback: 'deny',
  routes: [{ prefix: 'tested', sources: [verdict] }],
});

let folder: string;
let backend: RunningBackend;
let token: string;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await backend.stop();
  await rm(folder, { recursive: true, force: true });
});

async function decided(): Promise<string | undefined> {
  return (await authorize(backend.url, token, [basic('tested.read', 'read')]))
    .results[0];
}

/** Changes the config and waits for the line that reports the outcome. */
async function change(does: () => Promise<unknown>, line: string): Promise<string> {
  const since = backend.logs.lines.length;
  await does();
  return (await backend.logs.waitFor(line, since)).message;
}

describe('a routing file', () => {
  const start = async (file: string): Promise<void> => {
    backend = await startBackend({ policyRouter: { routingFile: file } });
    token = await backend.signIn('nolan');
  };

  it('is used whenever it is valid; otherwise the last good table stays in use', async () => {
    const file = join(folder, 'routing.yaml');
    await writeFile(file, stringify(table('deny')));
    await start(file);
    expect(await decided()).toBe('DENY');

    await change(() => writeFile(file, stringify(table('allow'))), IN_USE);
    expect(await decided()).toBe('ALLOW');

    const syntax = await change(
      () => writeFile(file, 'fallback: [deny\nroutes'),
      REFUSED,
    );
    expect(syntax).toContain(file);
    expect(await decided()).toBe('ALLOW');

    const empty = await change(() => writeFile(file, ''), REFUSED);
    expect(empty).toContain('must contain fallback and routes, but is empty');
    expect(await decided()).toBe('ALLOW');

    const missing = await change(() => rm(file), REFUSED);
    expect(missing).toContain('does not exist');
    expect(await decided()).toBe('ALLOW');

    const wrong = await change(
      () => writeFile(file, stringify({ ...table('deny'), fallbak: 'deny' })),
      REFUSED,
    );
    expect(wrong).toContain("unknown key 'fallbak'; allowed: fallback, routes");
    expect(await decided()).toBe('ALLOW');

    await change(() => writeFile(file, stringify(table('deny'))), IN_USE);
    expect(await decided()).toBe('DENY');
  });

  it('is reported when it becomes valid again with its old content', async () => {
    const file = join(folder, 'routing.yaml');
    await writeFile(file, stringify(table('allow')));
    await start(file);
    await change(() => writeFile(file, '{'), REFUSED);
    await change(() => writeFile(file, stringify(table('allow'))), 'valid again');
    expect(await decided()).toBe('ALLOW');
  });

  it('may be replaced by an atomic rename', async () => {
    const file = join(folder, 'routing.yaml');
    await writeFile(file, stringify(table('deny')));
    await start(file);
    for (const verdict of ['allow', 'deny'] as const) {
      await change(async () => {
        await writeFile(`${file}.new`, stringify(table(verdict)));
        await rename(`${file}.new`, file);
      }, IN_USE);
      expect(await decided()).toBe(verdict.toUpperCase());
    }
  });

  it('may be a Kubernetes ConfigMap, which swaps a symlink to a folder', async () => {
    const publish = async (
      version: string,
      verdict: 'allow' | 'deny',
    ): Promise<void> => {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, 'routing.yaml'), stringify(table(verdict)));
      await symlink(version, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await publish('..2026_01', 'deny');
    await symlink(join('..data', 'routing.yaml'), join(folder, 'routing.yaml'));
    await start(join(folder, 'routing.yaml'));
    expect(await decided()).toBe('DENY');
    await change(() => publish('..2026_02', 'allow'), IN_USE);
    await rm(join(folder, '..2026_01'), { recursive: true });
    expect(await decided()).toBe('ALLOW');
    await change(() => publish('..2026_03', 'deny'), IN_USE);
    expect(await decided()).toBe('DENY');
  });
});

describe('a table in app-config', () => {
  it('is reloaded when app-config changes; what is invalid changes nothing', async () => {
    backend = await startBackend({ policyRouter: table('deny') });
    token = await backend.signIn('nolan');
    await change(() => backend.writeConfig(table('allow')), IN_USE);
    expect(await decided()).toBe('ALLOW');
    const refused = await change(
      () => backend.writeConfig({ ...table('deny'), deadline: 500 }),
      REFUSED,
    );
    expect(refused).toContain('permission.policyRouter.deadline: must be a duration');
    expect(await decided()).toBe('ALLOW');
    await change(() => backend.writeConfig(table('deny')), IN_USE);
    expect(await decided()).toBe('DENY');
  });

  it('may be loaded by $include', async () => {
    await writeFile(join(folder, 'included.yaml'), stringify(table('deny')));
    await writeFile(
      join(folder, 'policy.yaml'),
      'permission:\n  policyRouter:\n    $include: ./included.yaml\n',
    );
    backend = await startBackend({ configFiles: [join(folder, 'policy.yaml')] });
    token = await backend.signIn('nolan');
    expect(await decided()).toBe('DENY');
    await change(
      () => writeFile(join(folder, 'included.yaml'), stringify(table('allow'))),
      IN_USE,
    );
    expect(await decided()).toBe('ALLOW');
  });
});
