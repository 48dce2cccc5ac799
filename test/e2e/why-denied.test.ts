/**
 * docs/why-denied.md, followed step by step on a real backend that logs as Backstage does: its
 * blocks are the config, the questions and the answers.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { appConfig, type AppConfig } from '../support/app-config';
import { authorize, basic, startBackend } from '../support/backend';
import { Guide } from '../support/guide';
import { LoggingBackend } from '../support/logging-backend';
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

/** Backstage's watcher can miss a change, so it is then made again. */
const ATTEMPTS_PER_CHANGE = 100;

type Json = Record<string, unknown>;

interface Request {
  readonly url: string;
  readonly method?: string;
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
    JSON.stringify(value, (key, inner: unknown) => {
      // The first questions may come before the plugins are read.
      if (key === 'declared' && inner === 'unread') return undefined;
      return key === 'milliseconds' || key === 'at' ? 'a time' : inner;
    }),
  );

/** This table, and a route at its end, which changes no number of another. */
const TABLE = `${readFileSync('config/least-privilege.yaml', 'utf8')}
  - prefix: jenkins.execute
    sources: [ownership, opa]
`;

const CONFIG: AppConfig = {
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
      ...(parse(TABLE) as Json),
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
};

/** A backend on which the steps of the page are taken. */
class AskedBackend {
  private constructor(
    readonly backend: LoggingBackend,
    readonly token: string,
  ) {}

  /** @param guest - app-config, merged over the rest. */
  static async start(
    mode: 'development' | 'production',
    guest = '{}\n',
  ): Promise<AskedBackend> {
    const backend = await LoggingBackend.start(mode, [
      appConfig(CONFIG),
      guest,
      '{}\n',
    ]);
    try {
      return new AskedBackend(backend, await tokenFrom(backend));
    } catch (error) {
      await backend.stop();
      throw error;
    }
  }

  send(request: Request, token = this.token): Promise<Answer> {
    return send(this.backend, request, token);
  }

  /** The answer to this body in place of the page's. */
  async ask(body: string): Promise<Json> {
    const answer = await this.send({ ...requestOf(askBlock), body });
    expect(answer.status).toBe(200);
    return answer.body;
  }

  /** The lines with records, from line `since` on, that contain the text. */
  async records(text = '', since = 0): Promise<string[]> {
    const lines = await this.backend.logged();
    return lines.slice(since).filter(line => isRecord(line) && line.includes(text));
  }

  async lastRecord(body: string): Promise<Json> {
    await this.ask(body);
    return decisionIn((await this.records()).at(-1)!);
  }

  /**
   * Makes this the content of an app-config file that the backend has loaded, and asks until the
   * decision is recorded or is not: Backstage does not log that it uses the new config.
   */
  async change(config: string, body: string, isRecorded: boolean): Promise<void> {
    let attempts = 0;
    await until(
      async () => {
        if (attempts++ % ATTEMPTS_PER_CHANGE === 0)
          await this.backend.change(2, config);
        const since = (await this.backend.logged()).length;
        await this.ask(body);
        return (await this.records('', since)).length > 0 === isRecorded;
      },
      `a decision was ${isRecorded ? '' : 'not '}recorded`,
    );
  }
}

interface Answer {
  readonly status: number;
  readonly body: Json;
}

async function send(
  backend: LoggingBackend,
  { url, method, headers, body }: Request,
  token: string,
): Promise<Answer> {
  const response = await fetch(`${backend.url}${url}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        value.replace('$TOKEN', token),
      ]),
    ),
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  return { status: response.status, body: JSON.parse(text) as Json };
}

/** The token that the page gets, once the catalog knows who owns what. */
async function tokenFrom(backend: LoggingBackend): Promise<string> {
  expect(tokenBlock).toContain('jq -r .backstageIdentity.token');
  const signIn = async (): Promise<string> => {
    const { body } = await send(backend, requestOf(tokenBlock), '');
    return (body as { backstageIdentity: { token: string } }).backstageIdentity.token;
  };
  const first = await signIn();
  const related = async (entity: string, type: string): Promise<boolean> => {
    const url = `/api/catalog/entities/by-name/${entity}`;
    const request = { ...requestOf(relationsBlock), url };
    const { body } = await send(backend, request, first);
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

/** In the format of development, or of production; at any level. */
const isRecord = (line: string): boolean =>
  !line.includes('isAuditEvent') && / decision=\{|"decision":\{/.test(line);

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
  let asked: AskedBackend;

  /** The refusal on the page, of the entity in this catalog. */
  let refused: { readonly request: { readonly url: string } };

  beforeAll(async () => {
    asked = await AskedBackend.start('development');
    const { body } = await asked.send(requestOf(relationsBlock));
    const { uid } = body.metadata as { uid: string };
    refused = JSON.parse(refusal.replace('…', uid)) as typeof refused;
  });
  afterAll(() => asked?.backend.stop());

  const clickDelete = (): Promise<Answer> => {
    const url = `/api/catalog${refused.request.url}`;
    return asked.send({ ...requestOf(relationsBlock), url, method: 'DELETE' });
  };

  it('sees the question, the answer and the refusal in the browser', async () => {
    expect(await asked.ask(inBrowser)).toEqual(JSON.parse(answerInBrowser));
    const { status, body } = await clickDelete();
    expect(status).toBe(403);
    expect(body).toMatchObject(refused);
  });

  it('leaves no record before they are switched on', async () => {
    expect(await asked.records()).toEqual([]);
  });

  it('leaves the record of the page once they are switched on', async () => {
    await asked.change(everyRecord, UNREGISTER_BATCH, true);
    const earlier = await asked.records('catalog.entity.delete');
    expect(earlier).toEqual([]);

    expect(await asked.ask(ASKED)).toEqual(JSON.parse(page.block(ASK, 'json')));
    const [line, ...others] = await asked.records('catalog.entity.delete');
    expect(others).toEqual([]);
    const head = page.block(READ, 'text').replace(/\{.*\}\n$/s, '');
    expect(line!.replace(/^\S+ /, '')).toMatch(head);
    expect(withoutTimes(decisionIn(line!))).toEqual(
      withoutTimes(JSON.parse(page.block(READ, 'json'))),
    );
  });

  it('leaves the same record in the browser', async () => {
    const expected = withoutTimes(JSON.parse(page.block(READ, 'json')));
    expect(withoutTimes(await asked.lastRecord(inBrowser))).toEqual(expected);
    const since = asked.backend.lines.length;
    await clickDelete();
    const records = await asked.records('catalog.entity.delete', since);
    expect(records.map(line => withoutTimes(decisionIn(line)))).toEqual([expected]);
  });

  it('does not own the entity, as its relation says', async () => {
    const { body } = await asked.send(requestOf(relationsBlock));
    const relations = body.relations as Array<{ type: string; targetRef: string }>;
    const owners = relations.filter(({ type }) => type === 'ownedBy');
    expect(relationsBlock).toContain('select(.type == "ownedBy")');
    expect(owners).toEqual([JSON.parse(page.block(NOT_FINAL, 'json'))]);
    const { conditions } = await asked.lastRecord(ASKED);
    expect(JSON.stringify(conditions)).not.toContain(owners[0]!.targetRef);
  });

  it.each([
    ['the fallback decided', UNREGISTER_BATCH, 'fallback'],
    [
      'every source abstained',
      question({ type: 'basic', name: 'catalog.entity.delete', attributes: {} }),
      "'catalog.entity.delete'",
    ],
  ])('is told by the record that %s', async (_what, body, route) => {
    const record = await asked.lastRecord(body);
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
    // On the page, OPA has the address that it usually has.
    const text = page
      .block('A source failed', 'json')
      .replaceAll('127.0.0.1:8181', '127.0.0.1:1');
    const failed = JSON.parse(text) as Json;
    const record = await asked.lastRecord(question(permission, WEBSITE));
    expect(record).toMatchObject({ result: 'DENY', reason: failed.reason });
    expect((record.sources as Json[])[1]).toMatchObject(failed);
  });

  it('gets HTTP 400 or 401 for an incomplete question', async () => {
    const { permission } = (JSON.parse(ASKED) as { items: [Json] }).items[0];
    const incomplete = { ...(permission as Json), attributes: undefined };
    const ask = (body: string, token?: string): Promise<Answer> =>
      asked.send({ ...requestOf(askBlock), body }, token);
    const withoutRef = await ask(question(permission as Json));
    expect(withoutRef.status).toBe(400);
    const [, message] = /HTTP 400, `(Resource permissions [^`]*)`/.exec(TEXT) ?? [];
    expect((withoutRef.body as { error: Json }).error.message).toContain(message);
    expect((await ask(question(incomplete, WEBSITE))).status).toBe(400);
    expect((await ask(ASKED, '')).status).toBe(401);
    expect((await ask(ASKED, asked.token.slice(0, -1))).status).toBe(401);
  });

  it('leaves records of one permission only, if the override names it', async () => {
    await asked.change(recordsOfOne, UNREGISTER_BATCH, false);
    const since = (await asked.backend.logged()).length;
    await asked.ask(ASKED);
    await asked.ask(UNREGISTER_BATCH);
    expect(await asked.records('', since)).toHaveLength(1);
    expect(await asked.records('"catalog.entity.delete"', since)).toHaveLength(1);
  });

  it('leaves none after they are switched off', async () => {
    await asked.change('{}\n', ASKED, false);
  });
});

describe('an owner, in production', () => {
  let asked: AskedBackend;

  beforeAll(async () => {
    const asUserOfTheCatalog = page.block('A condition is not met', 'yaml');
    asked = await AskedBackend.start('production', asUserOfTheCatalog);
  });
  afterAll(() => asked?.backend.stop());

  it('is allowed, and leaves the same record with their own claims', async () => {
    await asked.change(recordsOfOne, ASKED, true);
    expect(await asked.ask(ASKED)).toEqual({
      items: [{ id: '1', result: 'ALLOW' }],
    });
    const line = (await asked.records('catalog.entity.delete')).at(-1)!;
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
        refs: ['user:default/guest', 'group:default/guests'],
        sources: [{ ...(ofStranger.sources as [Json])[0], conditions }],
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
      const unregisterIt = basic('catalog.location.delete', 'delete');
      expect((await authorize(backend.url, token, [unregisterIt])).results).toEqual([
        'DENY',
      ]);
      expect(backend.traces).toHaveLength(1);
    } finally {
      await backend.stop();
    }
  });
});
