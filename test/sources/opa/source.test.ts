import { isDeepStrictEqual } from 'node:util';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import type { Answer } from '../../../src/answer';
import { OpaSource } from '../../../src/sources/opa/source';
import { Cancellation } from '../../../src/sources/source';
import type { PermissionRequest } from '../../../src/request';
import {
  answer,
  decision,
  silence,
  startStub,
  type StubServer,
} from '../../support/stub-server';

const request: PermissionRequest = {
  permission: { type: 'basic', name: '../../v1/policies?x=', attributes: {} },
  principal: { userEntityRef: 'user:default/x', ownershipEntityRefs: [] },
};

let stub: StubServer | undefined;
let source: OpaSource | undefined;

afterEach(async () => {
  await source?.close();
  await stub?.stop();
  source = stub = undefined;
});

const sourceAt = (baseUrl: string, more: object = {}): OpaSource =>
  (source = new OpaSource({
    baseUrl,
    entrypoint: 'backstage_policy/decision',
    concurrency: 2,
    connectTimeout: 500,
    maxResponseBytes: 1000,
    ...more,
  }));

/** What the server received, and what came of the answer. */
async function exchange(
  path = '',
  more: object = {},
): Promise<{ received: string; answer: Answer }> {
  let received = '';
  stub = await startStub((socket, text) => {
    received = text;
    decision({ result: 'ALLOW' })(socket, text);
  });
  const opa = sourceAt(stub.url + path, more);
  return { answer: await opa.prepare(request).put(new Cancellation()), received };
}

describe('a question to OPA', () => {
  it('goes to the Data API at a path that no request can change', async () => {
    const { received } = await exchange();
    expect(received.split('\r\n')[0]).toBe(
      'POST /v1/data/backstage_policy/decision HTTP/1.1',
    );
  });

  it('keeps the path of the base URL', async () => {
    const { received } = await exchange('/opa/');
    expect(received.split('\r\n')[0]).toBe(
      'POST /opa/v1/data/backstage_policy/decision HTTP/1.1',
    );
  });

  it('carries the token, which is not in the exchange that is logged', async () => {
    const { received, answer: given } = await exchange('', { token: 'hush' });
    expect(received).toMatch(/^authorization: Bearer hush\r$/im);
    expect(JSON.stringify(given)).not.toContain('hush');
  });

  it('reuses its connection', async () => {
    stub = await startStub(decision({ result: 'DENY' }));
    const opa = sourceAt(stub.url);
    for (let round = 0; round < 10; round++) {
      expect((await opa.prepare(request).put(new Cancellation())).kind).toBe('DENY');
    }
    // One may still be returning to the pool when the next question comes.
    expect(stub.open()).toBeLessThanOrEqual(2);
    expect(stub.requests()).toBe(10);
  });

  it('reads an answer that comes in pieces, even of one character', async () => {
    const inPieces = async (socket: Socket): Promise<void> => {
      const body = '{"result":{"result":"DENY"},"x":"ä€😀"}';
      socket.setNoDelay(true);
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`,
      );
      for (const byte of Buffer.from(body)) {
        await new Promise(resolve => socket.write(Buffer.of(byte), resolve));
      }
    };
    stub = await startStub(socket => void inPieces(socket));
    const given = await sourceAt(stub.url).prepare(request).put(new Cancellation());
    expect(given).toMatchObject({
      kind: 'DENY',
      exchange: { response: { x: 'ä€😀' } },
    });
  });

  it('given up while it is under way closes its connection, and the next one works', async () => {
    let arrived: () => void = () => {};
    const arrival = new Promise<void>(resolve => (arrived = resolve));
    stub = await startStub(() => arrived());
    const opa = sourceAt(stub.url);
    const cancellation = new Cancellation();
    const asked = opa.prepare(request).put(cancellation);
    await arrival;
    cancellation.abort();
    expect((await asked).kind).toBe('FAILED');
    await stub.untilOpen(0);
    stub.become(decision({ result: 'ALLOW' }));
    expect((await opa.prepare(request).put(new Cancellation())).kind).toBe('ALLOW');
  });

  it('given up before it is put is not put', async () => {
    stub = await startStub(silence);
    const cancellation = new Cancellation();
    cancellation.abort();
    const given = await sourceAt(stub.url).prepare(request).put(cancellation);
    expect(given.kind).toBe('FAILED');
    expect(stub.requests()).toBe(0);
  });

  it('takes the machine-readable code of an error from OPA, and nothing else of it', async () => {
    stub = await startStub(
      answer(
        JSON.stringify({
          code: 'internal_error',
          message: 'a private rule',
          errors: [{ code: 'eval_conflict_error', message: 'a private rule' }],
        }),
        '500 Internal Server Error',
      ),
    );
    const given = await sourceAt(stub.url).prepare(request).put(new Cancellation());
    expect({ ...given, exchange: undefined }).toEqual({
      kind: 'FAILED',
      failure: {
        class: 'invalid',
        code: 'HTTP_500',
        message: 'OPA answered HTTP 500 (eval_conflict_error)',
      },
    });
  });
});

describe('an answer that is not JSON is named by its', () => {
  const PROBLEM = 'the response must be a JSON object in UTF-8 without repeated keys';

  it.each<[what: string, headers: string[], more: string]>([
    [
      'content type, as of a log-in page',
      ['content-type: text/html; charset=utf-8'],
      '; its content type is "text/html"',
    ],
    [
      'content encoding',
      ['content-type: application/json', 'content-encoding: gzip'],
      '; its content encoding is "gzip"',
    ],
    [
      'content type and encoding',
      ['content-type: TEXT/plain', 'content-encoding: gzip, br'],
      '; its content type is "TEXT/plain"; its content encoding is "gzip, br"',
    ],
    ['shape alone if it says that it is JSON', ['content-type: Application/JSON'], ''],
    ['shape alone if it says nothing', [], ''],
    [
      'shape alone if they are odd or repeat the token',
      ['content-type: text/hush-hush', 'content-encoding: "x"'],
      '',
    ],
  ])('%s', async (_what, headers, more) => {
    const body = '<html>private</html>';
    stub = await startStub(socket =>
      socket.write(
        [
          'HTTP/1.1 200 OK',
          `content-length: ${body.length}`,
          ...headers,
          '',
          body,
        ].join('\r\n'),
      ),
    );
    const opa = sourceAt(stub.url, { token: 'hush-hush' });
    const given = await opa.prepare(request).put(new Cancellation());
    expect({ ...given, exchange: undefined }).toEqual({
      kind: 'FAILED',
      failure: { class: 'invalid', code: 'BAD_JSON', message: PROBLEM + more },
    });
  });
});

describe('the key of a question', () => {
  const base: PermissionRequest = {
    permission: {
      type: 'resource',
      name: 'catalog.entity.read',
      attributes: { action: 'read' },
      resourceType: 'catalog-entity',
    },
    principal: {
      userEntityRef: 'user:default/olivia',
      ownershipEntityRefs: ['a', 'b'],
    },
  };
  const { permission, principal } = base;
  const others: Array<[string, PermissionRequest]> = [
    ['name', { ...base, permission: { ...permission, name: 'catalog.entity' } }],
    [
      'action',
      {
        ...base,
        permission: { ...permission, attributes: { action: 'update' } },
      },
    ],
    ['no action', { ...base, permission: { ...permission, attributes: {} } }],
    [
      'resource type',
      {
        ...base,
        permission: { ...permission, resourceType: 'other' } as typeof permission,
      },
    ],
    ['type', { ...base, permission: { ...permission, type: 'basic' } }],
    [
      'user',
      { ...base, principal: { ...principal, userEntityRef: 'user:default/nolan' } },
    ],
    [
      'no user',
      { ...base, principal: { ownershipEntityRefs: principal.ownershipEntityRefs } },
    ],
    ['claims', { ...base, principal: { ...principal, ownershipEntityRefs: ['a'] } }],
    [
      'claims joined otherwise',
      { ...base, principal: { ...principal, ownershipEntityRefs: ['a","b'] } },
    ],
  ];
  const opa = new OpaSource({
    baseUrl: 'http://127.0.0.1:9',
    entrypoint: 'a/b',
    concurrency: 1,
    connectTimeout: 1000,
    maxResponseBytes: 1000,
  });
  afterAll(() => opa.close());

  it('is equal for equal questions', () => {
    expect(opa.prepare(structuredClone(base)).key).toEqual(opa.prepare(base).key);
  });

  it.each(others)('differs by %s', (_what, other) => {
    expect(opa.prepare(other).key).not.toEqual(opa.prepare(base).key);
  });

  it('holds everything that OPA gets, for any two questions', () => {
    const anyText = fc.oneof(
      fc.constantFrom('a', 'b', '', '"', '\\', ','),
      fc.string(),
    );
    const anyRequest = fc
      .record({ name: anyText, user: fc.option(anyText), claims: fc.array(anyText) })
      .map(({ name, user, claims }): PermissionRequest => ({
        permission: { type: 'basic', name, attributes: {} },
        principal: {
          ...(user === null ? {} : { userEntityRef: user }),
          ownershipEntityRefs: claims,
        },
      }));
    fc.assert(
      fc.property(anyRequest, anyRequest, (one, other) => {
        const equal = isDeepStrictEqual(opa.prepare(one).key, opa.prepare(other).key);
        expect(equal).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });
});
