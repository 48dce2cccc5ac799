/**
 * No matter what an OPA answers, in words, in HTTP or in bytes: only the one document that says
 * ALLOW allows. The rest of the 100,000 cases are in hostile-input.
 */
import fc from 'fast-check';
import { regoAnswer } from '../../src/sources/rego/answer';
import { checkLine, fuzzedRouter, type FuzzedRouter } from '../support/fuzzed-router';
import {
  applicable,
  decisionOf,
  DEFINITE,
  record,
  resourceType,
} from '../support/hostile-decisions';
import { hostileText } from '../support/hostile-text';
import { answer, silence, startStub, type StubServer } from '../support/stub-server';

const RUNS = {
  documents: 28_000,
  answers: 4_000,
  pairs: 1_500,
  http: 2_000,
  bytes: 2_500,
};

let stub: StubServer;
let router: FuzzedRouter;

beforeAll(async () => {
  stub = await startStub(silence);
  const source = (entrypoint: string, onUnavailable = 'fail-closed'): object => ({
    type: 'opa',
    baseUrl: stub.url,
    entrypoint,
    timeout: '60s',
    onUnavailable,
    // The breaker must never open: every question has to reach the stub.
    circuitBreaker: { volumeThreshold: 1_000_000 },
  });
  router = await fuzzedRouter({
    fallback: 'deny',
    deadline: '10m',
    sources: {
      first: source('fuzz/first'),
      second: source('fuzz/second'),
      lax: source('fuzz/first', 'fail-open'),
    },
    routes: [
      { prefix: 'ask', sources: ['first'] },
      { prefix: 'lax', sources: ['lax'] },
      { prefix: 'both', sources: ['first', 'second'] },
      { prefix: 'either', sources: ['first', 'second'], combine: 'allow-overrides' },
      { prefix: 'one', sources: ['first', 'second'], combine: 'first-applicable' },
    ],
  });
});

afterAll(async () => {
  router.close();
  await stub.stop();
});

const user = {
  credentials: {},
  info: { userEntityRef: 'user:default/olivia', ownershipEntityRefs: [] },
};

/**
 * The result of a document that has nothing else but a reason in text; a plain reading without a
 * schema.
 */
function said(decision: unknown): unknown {
  if (typeof decision !== 'object' || decision === null) return undefined;
  if (Array.isArray(decision)) return undefined;
  const others = Object.entries(decision).filter(
    ([key, value]) =>
      key !== 'result' && !(key === 'reason' && typeof value === 'string'),
  );
  return others.length === 0
    ? Object.getOwnPropertyDescriptor(decision, 'result')?.value
    : undefined;
}

/** The result in the text of a whole response. */
function saidIn(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      return undefined;
    return said(Object.getOwnPropertyDescriptor(body, 'result')?.value);
  } catch {
    return undefined;
  }
}

const bodyOf = (resourceType: string): fc.Arbitrary<string> => {
  const decision = decisionOf(resourceType);
  const value = fc.oneof(
    { weight: 8, arbitrary: decision.map(result => ({ result })) },
    decision,
    decision.map(result => ({ result: { result } })),
    decision.map(result => [{ result }]),
    decision.map(result => Object.fromEntries([['__proto__', { result }]])),
    fc
      .tuple(decision, record(fc.jsonValue({ maxDepth: 1 })))
      .map(([result, more]) => ({ ...more, result })),
  );
  const text = value.map(each => JSON.stringify(each));
  return fc.oneof(
    { weight: 8, arbitrary: text },
    text.map(each => `\ufeff${each}`),
    text.map(each => `${each}x`),
    text.map(each => each.slice(0, -1)),
    text.map(each => each.replace('ALLOW', '\\u0041LLOW')),
    text.map(each => each.replaceAll('"', "'")),
    fc.string(),
  );
};

/** Often conditions that can be combined with others. */
const anyBody = (type: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: bodyOf(type) },
    applicable(type).map(result => JSON.stringify({ result })),
  );

/** A question on a resource, with bodies that name its type. */
const exchange = (...prefixes: string[]) =>
  fc
    .tuple(fc.constantFrom(...prefixes), hostileText, resourceType)
    .chain(([prefix, rest, type]) =>
      fc.record({
        permission: fc.constant({
          type: 'resource',
          name: `${prefix}.${rest}`,
          attributes: { action: 'read' },
          resourceType: type,
        }),
        prefix: fc.constant(prefix),
        first: anyBody(type),
        second: anyBody(type),
      }),
    );

const isAskable = ({
  name,
  resourceType: type,
}: {
  name: string;
  resourceType: string;
}) => name.length <= 256 && type.length <= 256;

describe('any answer of a policy', () => {
  it('is ALLOW only if the document says so, and otherwise refused in one short line', () => {
    let allowed = 0;
    fc.assert(
      fc.property(resourceType.chain(decisionOf), written => {
        const value = JSON.parse(JSON.stringify(written)) as unknown;
        const given = regoAnswer(value);
        if ((given.kind === 'ALLOW') !== (said(value) === 'ALLOW'))
          throw new Error(given.kind);
        if (given.kind === 'ALLOW') allowed++;
        if (given.kind === 'FAILED') checkLine(given.failure.message);
        else checkLine(given.reason);
      }),
      { numRuns: RUNS.documents },
    );
    expect(allowed).toBeGreaterThan(0);
  });

  it('does not wrongly allow over a socket', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(exchange('ask'), async ({ permission, first }) => {
        stub.become(answer(first));
        const { decision } = await router.decide({ permission }, user);
        const allows = saidIn(first) === 'ALLOW' && isAskable(permission);
        if ((decision.result === 'ALLOW') !== allows) throw new Error(decision.result);
        seen.add(decision.result);
      }),
      { numRuns: RUNS.answers },
    );
    expect([...seen].sort()).toEqual(['ALLOW', 'CONDITIONAL', 'DENY']);
  });

  it('does not wrongly allow when two sources are combined', async () => {
    await fc.assert(
      fc.asyncProperty(
        exchange('both', 'either', 'one'),
        async ({ prefix, permission, first, second }) => {
          stub.become((socket, request) =>
            answer(request.startsWith('POST /v1/data/fuzz/first ') ? first : second)(
              socket,
              request,
            ),
          );
          const { decision } = await router.decide({ permission }, user);
          const words = [saidIn(first), saidIn(second)];
          const opinions = words.filter(each => each !== 'NOT_APPLICABLE');
          const allows = {
            both: opinions.length > 0 && opinions.every(each => each === 'ALLOW'),
            either: opinions.includes('ALLOW'),
            one: opinions[0] === 'ALLOW',
          }[prefix as 'both' | 'either' | 'one'];
          if ((decision.result === 'ALLOW') !== (allows && isAskable(permission))) {
            throw new Error(`${decision.result} of ${words.join()}`);
          }
        },
      ),
      { numRuns: RUNS.pairs },
    );
  });
});

const NAMES = [
  'set-cookie',
  'location',
  'content-encoding',
  'x',
  'authorization',
  'age',
];

/** A header that does not affect the framing, which the tests of bytes cover. */
const header = fc
  .tuple(
    fc.constantFrom(...NAMES),
    fc.oneof(
      fc.constantFrom('gzip', 'http://127.0.0.1:1/', 'ALLOW', ''),
      fc.string({ unit: fc.constantFrom(...'aA0 ;,=%"\t\u00ff') }),
    ),
  )
  .map(([name, value]) => `${name}: ${value}\r\n`);

const status = fc.oneof(
  { weight: 2, arbitrary: fc.constant(200) },
  fc.constantFrom(201, 202, 204, 205, 206, 300, 301, 302, 304, 307, 400, 401, 403, 404),
  fc.constantFrom(408, 409, 413, 418, 425, 429, 500, 501, 505, 511),
  fc.integer({ min: 200, max: 999 }),
);

describe('an answer in any HTTP response', () => {
  it('is ALLOW only with status 200, or for an outage under fail-open', async () => {
    const question = exchange('ask', 'lax');
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(question, status, fc.array(header, { maxLength: 4 })),
        async ([{ permission, prefix, first }, code, headers]) => {
          stub.become((socket, request) => {
            answer(
              first,
              `${code} Word`,
              `connection: close\r\n${headers.join('')}`,
            )(socket, request);
            socket.end();
          });
          const { decision } = await router.decide({ permission }, user);
          const isOutage = [502, 503, 504].includes(code);
          const allows =
            (code === 200 && saidIn(first) === 'ALLOW') ||
            (isOutage && prefix === 'lax');
          if ((decision.result === 'ALLOW') !== (allows && isAskable(permission))) {
            throw new Error(`${decision.result}, not ${allows}`);
          }
        },
      ),
      { numRuns: RUNS.http },
    );
  });
});

const FRAMINGS: ReadonlyArray<(body: string) => string> = [
  body => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  // The JSON may arrive complete although the answer is not.
  body =>
    `HTTP/1.1 200 OK\r\ncontent-length: ${body.length + 9}\r\n\r\n${body}${' '.repeat(9)}`,
  body => `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${body}`,
  body =>
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  body => `HTTP/1.0 200 OK\r\n\r\n${body}`,
];

const framed = fc
  .tuple(fc.constantFrom(...FRAMINGS), fc.constantFrom(...DEFINITE))
  .map(([frame, result]) =>
    Buffer.from(frame(JSON.stringify({ result: { result } })), 'latin1'),
  );

const edit = fc.record({
  at: fc.nat(),
  removed: fc.nat({ max: 3 }),
  put: fc.oneof(
    fc.uint8Array({ maxLength: 3 }),
    fc
      .constantFrom('\r\n', '\r\n\r\n', '0', '"', 'HTTP/1.1 200 OK\r\n')
      .map(text => Buffer.from(text)),
  ),
});

const edited = (
  whole: Buffer,
  edits: ReadonlyArray<{ at: number; removed: number; put: Uint8Array }>,
) =>
  edits.reduce((bytes, { at, removed, put }) => {
    const from = at % (bytes.length + 1);
    return Buffer.concat([
      bytes.subarray(0, from),
      put,
      bytes.subarray(from + removed),
    ]);
  }, whole);

/** Bytes, each with whether they may mean ALLOW. */
const bytes = fc.oneof(
  fc
    .uint8Array({ maxLength: 200 })
    .map(noise => ({ sent: Buffer.from(noise), may: false })),
  fc
    .tuple(framed, fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([whole, edits]) => {
      const sent = edited(whole, edits);
      return { sent, may: sent.includes('"ALLOW"') };
    }),
  fc
    .tuple(
      framed,
      fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 200 })),
    )
    .map(([whole, missing]) => ({
      sent: whole.subarray(0, Math.max(0, whole.length - missing)),
      may: false,
    })),
  framed.map(whole => ({ sent: whole, may: whole.includes('"ALLOW"') })),
);

describe('any bytes', () => {
  it('are not ALLOW unless they spell it completely', async () => {
    let allowed = 0;
    await fc.assert(
      fc.asyncProperty(bytes, hostileText, async ({ sent, may }, rest) => {
        stub.become(socket => socket.end(sent));
        const permission = { type: 'basic', name: `ask.${rest}`, attributes: {} };
        const { decision } = await router.decide({ permission }, user);
        if (decision.result === 'ALLOW') allowed++;
        if (decision.result === 'ALLOW' && !may) throw new Error('allowed');
      }),
      { numRuns: RUNS.bytes },
    );
    expect(allowed).toBeGreaterThan(0);
  });
});
