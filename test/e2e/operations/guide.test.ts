/**
 * The commands of docs/operations.md, run as they are on a real backend with a real OPA, and what
 * they print. To write what they print to the page:
 *
 *   UPDATE_DOCS=1 npx jest test/e2e/operations/guide
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { billingPlugin } from '../../../dev/billing';
import {
  authorize,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../../support/backend';
import { allIngested } from '../../support/ingestion';
import { operations } from '../../support/operations';
import { startOpa, type OpaServer } from '../../support/opa-server';
import { until } from '../../support/until';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

const PAGE = 'docs/operations.md';
const BASE = 'http://localhost:7007';
const DELETE = onEntity(
  'catalog.entity.delete',
  'delete',
  'component:default/payments-api',
);
/** More than the breaker needs. */
const QUESTIONS = 6;

interface Block {
  readonly language: string;
  readonly text: string;
}

/** The blocks under a heading, in their order. */
function blocksUnder(heading: string): Block[] {
  const [, rest = ''] = readFileSync(PAGE, 'utf8').split(`\n${heading}\n`);
  const [section = ''] = rest.split(/\n#{2,3} /);
  return [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', text = '']) => ({ language, text }),
  );
}

/** What differs from run to run is as on the page. */
const steady = (output: string, port: number): string =>
  output
    .replaceAll(`127.0.0.1:${port}`, '127.0.0.1:8181')
    .replaceAll(`"${hostname()}"`, '"backstage-6d4cf56db6-x2x5r"')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-11-27T12:04:31.123Z')
    .replace(/\d\d:\d\d:\d\d UTC/g, '12:04:31 UTC')
    .replace(/"p50": [\d.]+/g, '"p50": 0.9')
    .replace(/"p99": [\d.]+/g, '"p99": 2.4')
    .replace(/^ +(?="sentence)/gm, '')
    .trimEnd()
    .concat('\n');

/** Replaces the block of the page with this text by another. */
function write(before: string, after: string): void {
  const page = readFileSync(PAGE, 'utf8');
  writeFileSync(
    PAGE,
    page.replace(`\n${before}\`\`\``, () => `\n${after}\`\`\``),
  );
}

describeWithOpa(`the commands of ${PAGE}`, () => {
  let opa: OpaServer;
  let backend: RunningBackend;
  let petra: string;
  let nolan: string;

  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['config/policies/backstage.rego'],
    });
    backend = await startBackend({
      policyRouter: {
        routingFile: resolve('config/routing.yaml'),
        operators: ['group:default/platform'],
        sources: {
          opa: {
            type: 'opa',
            baseUrl: opa.url,
            entrypoint: 'backstage_policy/decision',
            // It must not be tried again in the test.
            circuitBreaker: { resetTimeout: '10m' },
          },
          ownership: { type: 'ownership', bypass: ['group:default/platform'] },
        },
      },
      features: [billingPlugin],
    });
    petra = await backend.signIn('petra');
    nolan = await backend.signIn('nolan');
    await allIngested(backend.url, petra);
    await until(async () => {
      const { body } = await operations(backend.url, petra).get('coverage');
      return body.settled === true;
    }, 'the plugins were read');
  });
  afterAll(async () => {
    await backend.stop();
    await opa.stop();
  });

  async function run(command: string): Promise<string> {
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-euc', command.replaceAll(BASE, backend.url)],
      { env: { ...process.env, token: petra } },
    );
    return steady(stdout, opa.port);
  }

  async function prints(command: Block, expected: Block): Promise<void> {
    expect(command.language).toBe('sh');
    expect(command.text).toContain(BASE);
    const printed = await run(command.text);
    if (process.env.UPDATE_DOCS === '1') write(expected.text, printed);
    else expect(printed).toBe(expected.text);
  }

  it('say why Nolan may not delete what he does not own', async () => {
    const [explain, answer] = blocksUnder('## Why was this denied?');
    await authorize(backend.url, nolan, [DELETE]);
    await prints(explain!, answer!);
  });

  it('are those of the README', () => {
    const readme = readFileSync('README.md', 'utf8');
    const shown = blocksUnder('## Why was this denied?');
    expect(shown).toHaveLength(3);
    for (const { text } of shown) expect(readme).toContain(text);
  });

  it('say that OPA is down, and since when', async () => {
    await opa.stop();
    for (let count = 0; count < QUESTIONS; count++) {
      await authorize(backend.url, nolan, [DELETE]);
    }
    const [explain, , answer] = blocksUnder('## Why was this denied?');
    await prints(explain!, answer!);
    const [sources, statuses] = blocksUnder('## What is broken now?');
    await prints(sources!, statuses!);
  });

  it.each([
    '## Which permissions has nobody routed?',
    '### The last decisions',
    '### What a change would do',
  ])('under "%s" print what the page says', async heading => {
    const [command, answer] = blocksUnder(heading);
    await prints(command!, answer!);
  });
});
