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

  async function run(command: string, token = petra): Promise<string> {
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-euc', command.replaceAll(BASE, backend.url)],
      { env: { ...process.env, token } },
    );
    return steady(stdout, opa.port);
  }

  async function prints(
    command: Block,
    expected: Block,
    token?: string,
  ): Promise<void> {
    expect(command.language).toBe('sh');
    expect(command.text).toContain(BASE);
    isOnPage(await run(command.text, token), expected);
  }

  function isOnPage(printed: string, { text }: Block): void {
    if (process.env.UPDATE_DOCS === '1') write(text, printed);
    else expect(printed).toBe(text);
  }

  it('sign in as an operator', async () => {
    const [, , signIn] = blocksUnder('## Before you ask');
    const printed = await run(`${signIn!.text}\nprintf %s "$token"`);
    const { status } = await operations(backend.url, printed.trim()).get('sources');
    expect(status).toBe(200);
  });

  it('say why Nolan may not delete what he does not own', async () => {
    const [explain, answer] = blocksUnder('## Why was this denied?');
    await authorize(backend.url, nolan, [DELETE]);
    await prints(explain!, answer!);
  });

  it('answer the same to the whole permission', async () => {
    const [question] = blocksUnder('### What to ask');
    const { body } = await operations(backend.url, petra).post(
      'explain',
      JSON.parse(question!.text),
    );
    const [, answer] = blocksUnder('## Why was this denied?');
    expect(answer!.text).toContain(JSON.stringify(body.sentence));
  });

  it('say to Nolan himself what he may know', async () => {
    const [explain, answer] = blocksUnder('### Your own decisions');
    await prints(explain!, answer!, nolan);
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
    const [sources, statuses, endpoint] = blocksUnder('## What is broken now?');
    await prints(sources!, statuses!);
    const { body } = await operations(backend.url, petra).get('sources');
    const down = (body.sources as Array<{ name: string; endpoints: object[] }>).find(
      ({ name }) => name === 'opa',
    );
    const [shown] = down!.endpoints;
    isOnPage(steady(JSON.stringify(shown, null, 2), opa.port), endpoint!);
  });

  it('say the same to Nolan while OPA is down', async () => {
    const [explain, answer] = blocksUnder('### Your own decisions');
    await prints(explain!, answer!, nolan);
  });

  it.each([
    '## Which permissions has nobody routed?',
    '### The last decisions',
    '### What a change would do',
  ])('under "%s" print what the page says', async heading => {
    const [command, answer] = blocksUnder(heading);
    await prints(command!, answer!);
  });

  it('send a routing file, whose errors are shown', async () => {
    const [, , send] = blocksUnder('### What a change would do');
    const printed = await run(send!.text);
    expect(printed).toContain('"valid": true');
    expect(printed).toContain('"permissionsChanged": 0');
    const wrong = await run(send!.text.replace('routing.yaml', 'app-config.yaml'));
    expect(wrong).toMatch(/"valid": false[^]+"message": /);
  });

  it('show why there is no answer', async () => {
    for (const heading of [
      '## Why was this denied?',
      '### Your own decisions',
      '## What is broken now?',
      '## Which permissions has nobody routed?',
      '### The last decisions',
      '### What a change would do',
    ]) {
      const [command] = blocksUnder(heading);
      expect(await run(command!.text, 'wrong')).toContain('"error"');
    }
  });
});
