/**
 * docs/why-denied.md, followed step by step on a real backend that logs as Backstage does: its
 * blocks are the config, the questions and the answers.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { authorize, basic, startBackend, temporaryFolder } from '../support/backend';
import { appConfig } from '../support/app-config';
import { Guide } from '../support/guide';
import { PATIENT_DEADLINE, PATIENT_TIMEOUT } from '../support/patience';
import { until } from '../support/until';

const page = new Guide('docs/why-denied.md');
const FIND = '1. Find the permission';
const SWITCH_ON = '2. Switch on the records';
const ASK = '3. Ask the same question';
const READ = '4. Read the record';
const NOT_FINAL = '5. CONDITIONAL is not the final answer';

const BASE = 'http://localhost:7007';

/** The port of no service. */
const NOBODY_LISTENS = 'http://127.0.0.1:1';

type Json = Record<string, unknown>;

interface Request {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** What the `curl` of a block sends. */
function requestOf(block: string): Request {
  const [, url] = /curl -s (\S+)/.exec(block) ?? [];
  if (!url?.startsWith(BASE)) throw new Error(`no curl in\n${block}`);
  const headers = [...block.matchAll(/-H (["'])([^:]+): (.*?)\1/g)];
  return {
    url: url.slice(BASE.length).replace(/\)$/, ''),
    headers: Object.fromEntries(headers.map(([, , name, value]) => [name!, value!])),
    body: /-d '([^']*)'/.exec(block)?.[1],
  };
}

const [tokenBlock, askBlock] = page.all(ASK, 'sh') as [string, string];
const [relationsBlock] = page.all(NOT_FINAL, 'sh') as [string];
const [everyRecord, recordsOfOne] = page.all(SWITCH_ON, 'yaml') as [string, string];
const [inBrowser, answerInBrowser, refusal] = page.all(FIND, 'json') as [
  string,
  string,
  string,
];

/** Times differ; everything else must be as on the page. */
const withoutTimes = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, inner: unknown) =>
      key === 'milliseconds' ? 'a time' : inner,
    ),
  );

/** A backend that logs to its output, and what it has logged. */
class LoggingBackend {
  readonly lines: string[] = [];
  #url = '';
  #marks = 0;
  readonly #events = new EventEmitter().setMaxListeners(0);

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {
    createInterface(child.stdout!).on('line', line => {
      this.lines.push(stripVTControlCharacters(line));
      this.#events.emit('line');
    });
    child.once('close', () => this.#events.emit('error', new Error('it has ended')));
    this.#events.on('error', () => {});
  }

  /** @param moreConfig - app-config, merged over the rest. */
  static async start(
    mode: 'development' | 'production',
    moreConfig = '',
  ): Promise<LoggingBackend> {
    const folder = await temporaryFolder();
    const routing = readFileSync('config/least-privilege.yaml', 'utf8');
    const files: Readonly<Record<string, string>> = {
      // A route at the end changes no number of another.
      'routing.yaml': `${routing}
  - prefix: jenkins.execute
    sources: [ownership, opa]
`,
      'app-config.yaml': appConfig({
        auth: { providers: { guest: {} } },
        catalog: {
          stitchingStrategy: { pollingInterval: { milliseconds: 50 } },
          rules: [{ allow: ['Component', 'Group', 'User'] }],
          locations: [
            { type: 'file', target: resolve('test/fixtures/catalog/new-app.yaml') },
          ],
        },
        permission: {
          enabled: true,
          policyRouter: {
            routingFile: join(folder, 'routing.yaml'),
            deadline: PATIENT_DEADLINE,
            sources: {
              ownership: { type: 'ownership', bypass: ['group:default/platform'] },
              opa: {
                type: 'opa',
                baseUrl: NOBODY_LISTENS,
                entrypoint: 'a/b',
                timeout: PATIENT_TIMEOUT,
              },
            },
          },
        },
      }),
      'more.yaml': moreConfig,
      'changed.yaml': '{}\n',
    };
    for (const [name, content] of Object.entries(files))
      await writeFile(join(folder, name), content);
    const configs = ['app-config.yaml', 'more.yaml', 'changed.yaml'];
    const child = spawn(
      process.execPath,
      [
        '--require',
        'tsx/cjs',
        'test/fixtures/guest-backend.ts',
        ...configs.filter(name => files[name] !== '').map(name => join(folder, name)),
      ],
      {
        env: { ...process.env, NODE_ENV: mode, LOG_LEVEL: undefined },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const backend = new LoggingBackend(child, folder);
    try {
      const line = await backend.#line(/^listening at /);
      backend.#url = line.replace('listening at ', '');
      return backend;
    } catch (error) {
      await backend.stop();
      throw error;
    }
  }

  /** Makes this the content of an app-config file that the backend has loaded. */
  async change(config: string): Promise<void> {
    await writeFile(join(this.folder, 'changed.yaml'), config);
  }

  async call(
    { url, headers, body }: Request,
    token?: string,
    method?: string,
  ): Promise<{ readonly status: number; readonly body: Json }> {
    const response = await fetch(`${this.#url}${url}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [
          name,
          value.replace('$TOKEN', token ?? ''),
        ]),
      ),
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: (text === '' ? {} : JSON.parse(text)) as Json,
    };
  }

  /** The token that the page gets, once the catalog knows who owns what. */
  async token(): Promise<string> {
    const request = requestOf(tokenBlock);
    expect(tokenBlock).toContain('jq -r .backstageIdentity.token');
    const signIn = async (): Promise<string> => {
      const { body } = await this.call(request);
      return (body as { backstageIdentity: { token: string } }).backstageIdentity.token;
    };
    const first = await signIn();
    const related = async (entity: string, type: string): Promise<boolean> => {
      const { body } = await this.call(
        {
          ...requestOf(relationsBlock),
          url: `/api/catalog/entities/by-name/${entity}`,
        },
        first,
      );
      const relations = (body.relations ?? []) as Array<{ type: string }>;
      return relations.some(relation => relation.type === type);
    };
    await until(
      async () =>
        (await related('component/default/example-website', 'ownedBy')) &&
        (await related('user/default/guest', 'memberOf')),
      'the catalog was ingested',
    );
    return signIn();
  }

  async ask(body: string, token: string): Promise<Json> {
    const answer = await this.call({ ...requestOf(askBlock), body }, token);
    expect(answer.status).toBe(200);
    return answer.body;
  }

  /** Everything that was logged until now. */
  async logged(): Promise<readonly string[]> {
    const mark = `mark ${++this.#marks}`;
    this.child.stdin!.write(`${mark}\n`);
    await this.#line(new RegExp(`^${mark}$`));
    return this.lines;
  }

  /** The records of these lines, as `kubectl logs` or a terminal shows them. */
  async records(name: string, since = 0): Promise<string[]> {
    const lines = await this.logged();
    return lines.slice(since).filter(line => isRecord(line) && line.includes(name));
  }

  /** Asks until the answer is recorded, or until it is not. */
  async untilRecorded(isSo: boolean, body: string, token: string): Promise<void> {
    await until(
      async () => {
        const since = this.lines.length;
        await this.ask(body, token);
        return (await this.records('', since)).length > 0 === isSo;
      },
      isSo ? 'a decision was recorded' : 'a decision was not recorded',
    );
  }

  async stop(): Promise<void> {
    const closed = this.child.exitCode === null ? once(this.child, 'close') : undefined;
    this.child.kill('SIGTERM');
    await closed;
    await rm(this.folder, { recursive: true, force: true });
  }

  async #line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find(line => pattern.test(line));
      if (found !== undefined) return found;
      if (this.child.exitCode !== null) throw new Error(this.lines.join('\n'));
      await once(this.#events, 'line');
    }
  }
}

/** In the format of development, or of production; at any level. */
const isRecord = (line: string): boolean => / decision=\{|"decision":\{/.test(line);

/** `decision` of a line in the format of development, or of production. */
function decisionIn(line: string): Json {
  if (line.startsWith('{')) return (JSON.parse(line) as { decision: Json }).decision;
  const [, json] = / decision=(\{.*\})$/.exec(line)!;
  return JSON.parse(json!) as Json;
}

const question = (permission: object, resourceRef?: string): string =>
  JSON.stringify({ items: [{ id: '1', permission, resourceRef }] });
const WEBSITE = 'component:default/example-website';
const ASKED = requestOf(askBlock).body!;
/** The item of a basic permission on the page. */
const UNREGISTER_BATCH = `{"items":[${/`(\{"id":"1",[^`]*)`/.exec(readFileSync(page.page, 'utf8'))![1]!}]}`;

/** What the page says, without its line breaks. */
const TEXT = readFileSync(page.page, 'utf8').replace(/\s+/g, ' ');

describe('a user who owns nothing', () => {
  let backend: LoggingBackend;
  let token: string;

  /** The refusal on the page, of the entity in this catalog. */
  let refused: { readonly request: { readonly url: string } };

  beforeAll(async () => {
    backend = await LoggingBackend.start('development');
    token = await backend.token();
    const { body } = await backend.call(requestOf(relationsBlock), token);
    const { uid } = body.metadata as { uid: string };
    refused = JSON.parse(refusal.replace('…', uid)) as typeof refused;
  });
  afterAll(() => backend?.stop());

  const lastRecord = async (body: string): Promise<Json> => {
    await backend.ask(body, token);
    return decisionIn((await backend.records('')).at(-1)!);
  };

  const clickDelete = async () => {
    const url = `/api/catalog${refused.request.url}`;
    const { headers } = requestOf(relationsBlock);
    return backend.call({ url, headers, body: undefined }, token, 'DELETE');
  };

  it('sees the question, the answer and the refusal in the browser', async () => {
    expect(await backend.ask(inBrowser, token)).toEqual(JSON.parse(answerInBrowser));
    const { status, body } = await clickDelete();
    expect(status).toBe(403);
    expect(body).toMatchObject(refused);
  });

  it('leaves no record before they are switched on', async () => {
    expect(await backend.records('')).toEqual([]);
  });

  it('leaves the record of the page once they are switched on', async () => {
    await backend.change(everyRecord);
    await backend.untilRecorded(true, UNREGISTER_BATCH, token);
    const earlier = await backend.records('catalog.entity.delete');
    expect(earlier).toEqual([]);

    expect(await backend.ask(ASKED, token)).toEqual(
      JSON.parse(page.block(ASK, 'json')),
    );
    const [line, ...others] = await backend.records('catalog.entity.delete');
    expect(others).toEqual([]);
    const head = page.block(READ, 'text').replace(/\{.*\}\n$/s, '');
    expect(line!.replace(/^\S+ /, '')).toMatch(head);
    expect(withoutTimes(decisionIn(line!))).toEqual(
      withoutTimes(JSON.parse(page.block(READ, 'json'))),
    );
  });

  it('leaves the same record in the browser', async () => {
    const expected = withoutTimes(JSON.parse(page.block(READ, 'json')));
    expect(withoutTimes(await lastRecord(inBrowser))).toEqual(expected);
    const since = backend.lines.length;
    await clickDelete();
    const records = await backend.records('catalog.entity.delete', since);
    expect(records.map(line => withoutTimes(decisionIn(line)))).toEqual([expected]);
  });

  it('does not own the entity, as its relation says', async () => {
    const { body } = await backend.call(requestOf(relationsBlock), token);
    const relations = body.relations as Array<{ type: string; targetRef: string }>;
    const owners = relations.filter(({ type }) => type === 'ownedBy');
    expect(relationsBlock).toContain('select(.type == "ownedBy")');
    expect(owners).toEqual([JSON.parse(page.block(NOT_FINAL, 'json'))]);
    const { conditions } = await lastRecord(ASKED);
    expect(JSON.stringify(conditions)).not.toContain(owners[0]!.targetRef);
  });

  it.each([
    ['the fallback decided', UNREGISTER_BATCH, 'fallback'],
    [
      'every source abstained',
      question({ type: 'basic', name: 'catalog.entity.delete', attributes: {} }),
      "routes[3] 'catalog.entity.delete'",
    ],
  ])('is told by the record that %s', async (_what, body, route) => {
    const record = await lastRecord(body);
    expect(record).toMatchObject({ result: 'DENY', route });
    expect(TEXT).toContain(`\`${String(record.reason)}\``);
  });

  it('is told by the record that a source failed', async () => {
    const permission = {
      type: 'resource',
      name: 'jenkins.execute',
      attributes: { action: 'update' },
      resourceType: 'catalog-entity',
    };
    const failed = JSON.parse(page.block('A source failed', 'json')) as Json;
    const record = await lastRecord(question(permission, WEBSITE));
    expect(record).toMatchObject({ result: 'DENY', reason: failed.reason });
    expect((record.sources as Json[])[1]).toMatchObject(failed);
  });

  it('gets HTTP 400 or 401 for an incomplete question', async () => {
    const { permission } = (JSON.parse(ASKED) as { items: [Json] }).items[0];
    const incomplete = { ...(permission as Json), attributes: undefined };
    const ask = (body: string, as: string | undefined = token) =>
      backend.call({ ...requestOf(askBlock), body }, as);
    const withoutRef = await ask(question(permission as Json));
    expect(withoutRef.status).toBe(400);
    const [, message] = /HTTP 400, `(Resource permissions [^`]*)`/.exec(TEXT) ?? [];
    expect((withoutRef.body as { error: Json }).error.message).toContain(message);
    expect((await ask(question(incomplete, WEBSITE))).status).toBe(400);
    expect((await ask(ASKED, '')).status).toBe(401);
    expect((await ask(ASKED, token.slice(0, -1))).status).toBe(401);
  });

  it('leaves records of one permission only, if the override names it', async () => {
    await backend.change(recordsOfOne);
    await backend.untilRecorded(false, UNREGISTER_BATCH, token);
    const since = (await backend.logged()).length;
    await backend.ask(ASKED, token);
    await backend.ask(UNREGISTER_BATCH, token);
    expect(await backend.records('', since)).toHaveLength(1);
    expect(await backend.records('"catalog.entity.delete"', since)).toHaveLength(1);
  });

  it('leaves none after they are switched off', async () => {
    await backend.change('{}\n');
    await backend.untilRecorded(false, ASKED, token);
  });
});

describe('an owner, in production', () => {
  let backend: LoggingBackend;

  beforeAll(async () => {
    const asUserOfTheCatalog = page.block('A condition is not met', 'yaml');
    backend = await LoggingBackend.start('production', asUserOfTheCatalog);
  });
  afterAll(() => backend?.stop());

  it('is allowed, and leaves the same record with their own claims', async () => {
    const token = await backend.token();
    await backend.change(recordsOfOne);
    await backend.untilRecorded(true, ASKED, token);
    expect(await backend.ask(ASKED, token)).toEqual({
      items: [{ id: '1', result: 'ALLOW' }],
    });
    const line = (await backend.records('catalog.entity.delete')).at(-1)!;
    const ofStranger = JSON.parse(page.block(READ, 'json')) as Json;
    expect(JSON.parse(line)).toMatchObject({
      level: 'debug',
      plugin: 'permission',
      message: 'CONDITIONAL "catalog.entity.delete"',
    });
    const conditions = {
      anyOf: [
        {
          rule: 'IS_ENTITY_OWNER',
          resourceType: 'catalog-entity',
          params: { claims: ['user:default/guest', 'group:default/guests'] },
        },
      ],
    };
    const bytes = JSON.stringify(conditions).length;
    expect(withoutTimes(decisionIn(line))).toEqual(
      withoutTimes({
        ...ofStranger,
        user: 'user:default/guest',
        conditions,
        conditionSize: { bytes, limit: 65536 },
      }),
    );
  });
});

describe('without permission.enabled', () => {
  it('a plugin asks nothing, and only the command of the page is answered and recorded', async () => {
    const backend = await startBackend({
      config: {
        permission: {
          policyRouter: {
            fallback: 'deny',
            routes: [{ prefix: 'a', sources: ['deny'] }],
          },
        },
      },
    });
    try {
      const token = await backend.signIn('nolan');
      const unregister = await fetch(`${backend.url}/api/catalog/locations/none`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      });
      expect(unregister.status).toBe(404);
      expect(backend.traces).toEqual([]);
      const asked = basic('catalog.location.delete', 'delete');
      expect((await authorize(backend.url, token, [asked])).results).toEqual(['DENY']);
      expect(backend.traces).toHaveLength(1);
    } finally {
      await backend.stop();
    }
  });
});
