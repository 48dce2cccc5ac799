/** The steps of docs/rollout.md, walked on a real backend with the page's own files. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  temporaryFolder,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { runPolicyRouter } from '../support/cli';
import { testCommandsOf } from '../support/documented-commands';
import { Guide } from '../support/guide';
import { allIngested } from '../support/ingestion';
import { operations } from '../support/operations';
import { until } from '../support/until';

const URL_OF_PAGE = 'http://localhost:7007';
const PAGE = new Guide('docs/rollout.md');
const OBSERVE = '1. Observe';
const LOOK = '2. Look at what would have been denied';
const ENFORCE = '3. Enforce prefix by prefix';
const DONE = '4. Done';

/** Of the page; the test needs one that is not over. */
const DAY = '2027-01-31';
const IN_A_MONTH = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);

/** Nolan does not own it. */
const DELETE = onEntity('catalog.entity.delete', 'delete');
const LOCATIONS = basic('catalog.location.read', 'read');
const UNROUTED = onEntity('catalog.entity.refresh', 'update');

/** The files of a step of the page. */
const files = (heading: string): string[] =>
  PAGE.all(heading, 'yaml').map(text => text.replaceAll(DAY, IN_A_MONTH));

describe('the roll-out', () => {
  let folder: string;
  let backend: RunningBackend;
  let nolan: string;
  let olivia: string;
  let petra: string;

  const routingFile = (): string => join(folder, 'routing.yaml');
  const policyRouter = (appConfig: string): object => {
    const { permission } = parse(appConfig) as { permission: { policyRouter: object } };
    return { ...permission.policyRouter, routingFile: routingFile() };
  };
  const asked = async (token: string, question: Question): Promise<string> => {
    const { results } = await authorize(backend.url, token, [question]);
    return results.join();
  };
  const digest = async (): Promise<unknown> =>
    (await operations(backend.url, petra).get('table')).body.digest;

  /** Takes the change into use, as an edit does, without a restart. */
  async function change(edit: () => Promise<void>): Promise<void> {
    const before = await digest();
    await edit();
    await until(async () => (await digest()) !== before, 'the change is in use');
  }
  const routes = (text: string): Promise<void> =>
    change(() => writeFile(routingFile(), text));
  const settings = (text: string): Promise<void> =>
    change(() => backend.writeConfig(policyRouter(text)));

  async function report(): Promise<string> {
    const { code, out, err } = await runPolicyRouter(
      ['observed', '--backend', backend.url],
      { env: { POLICY_ROUTER_TOKEN: petra } },
    );
    // Something would be denied.
    expect({ code, err }).toEqual({ code: 1, err: '' });
    return out;
  }

  beforeAll(async () => {
    folder = await temporaryFolder();
    const [appConfig, table] = files(OBSERVE);
    await writeFile(routingFile(), table!);
    backend = await startBackend({ policyRouter: policyRouter(appConfig!) });
    nolan = await backend.signIn('nolan');
    olivia = await backend.signIn('olivia');
    petra = await backend.signIn('petra');
    await allIngested(backend.url, petra);
  });
  afterAll(() => backend.stop());

  it('begins with everything allowed, and says so loudly', async () => {
    const said = PAGE.block(OBSERVE, 'text').replaceAll(DAY, IN_A_MONTH).trim();
    await backend.logs.waitFor(said);
    for (const question of [DELETE, LOCATIONS, UNROUTED])
      expect(await asked(nolan, question)).toBe('ALLOW');
  });

  testCommandsOf('docs/rollout.md', {
    folder: () => folder,
    env: () => ({ POLICY_ROUTER_TOKEN: petra }),
    real: word => (word === URL_OF_PAGE ? backend.url : word),
    steady: printed =>
      printed
        .replaceAll(backend.url, URL_OF_PAGE)
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2027-01-04T12:04:31.000Z')
        .replace(/by the table [\da-f]{12}/, 'by the table 15f37a76c995'),
    before: async ({ heading }) => {
      expect(heading).toBe(LOOK);
      await asked(olivia, DELETE);
    },
  });

  it('shows what the next table no longer denies', async () => {
    await routes(files(LOOK)[0]!);
    await asked(nolan, LOCATIONS);
    await asked(nolan, UNROUTED);
    const shown = await report();
    expect(shown).not.toContain('catalog.location.read');
    expect(shown).toContain('catalog.entity.refresh');
  });

  it('enforces one prefix, and nothing else', async () => {
    await routes(files(ENFORCE)[0]!);
    expect(await asked(nolan, DELETE)).toBe('DENY');
    expect(await asked(olivia, DELETE)).toBe('ALLOW');
    expect(await asked(nolan, UNROUTED)).toBe('ALLOW');
  });

  it('goes back from there', async () => {
    await routes(files(LOOK)[0]!);
    expect(await asked(nolan, DELETE)).toBe('ALLOW');
    await routes(files(ENFORCE)[0]!);
    expect(await asked(nolan, DELETE)).toBe('DENY');
  });

  it('ends with the whole table enforced, the fallback too', async () => {
    await settings(files(DONE)[0]!);
    expect(await asked(nolan, DELETE)).toBe('DENY');
    expect(await asked(nolan, UNROUTED)).toBe('DENY');
    expect(await asked(nolan, LOCATIONS)).toBe('ALLOW');
  });

  it('goes back from the end', async () => {
    await settings(files(OBSERVE)[0]!);
    expect(await asked(nolan, UNROUTED)).toBe('ALLOW');
  });
});
