import { failed } from '../../../src/answer';
import type { PermissionRequest } from '../../../src/request';
import { BatchRequest } from '../../../src/sources/opa/batch-request';
import { regoInputText } from '../../../src/sources/rego/input';
import type { BatchAnswer } from '../../../src/sources/source';
import { permission, request } from '../../fixtures/builders';

const PATHS = { rule: 'policy_router/batch', entrypoint: 'team/decision' };

interface Body {
  readonly input: {
    readonly identity: unknown;
    readonly permissions: Record<string, unknown>;
  };
}

function batchOf(...requests: PermissionRequest[]) {
  const batch = new BatchRequest(
    requests.map(each => {
      const { identity: who, permission: what } = regoInputText(each);
      return { request: each, key: { who, what } };
    }),
    PATHS,
  );
  const { input } = JSON.parse(batch.body().toString()) as Body;
  return { batch, input, ids: Object.keys(input.permissions) };
}

const asked = (name: string): PermissionRequest =>
  request(permission(name), ['group:a']);

/** As the rule answers. */
const result = (decisions: object, more: object = {}): object => ({
  version: 1,
  entrypoint: 'team/decision',
  decisions,
  ...more,
});

const kinds = (answer: BatchAnswer): unknown =>
  answer.kind === 'ANSWERED'
    ? answer.answers.map(each =>
        each.kind === 'FAILED' ? each.failure.code : each.kind,
      )
    : answer;

describe('a request with several questions', () => {
  it('has the identity once, and each permission by an id', () => {
    const hostile = permission('"},"x":{"\\\ud800é', {
      action: 'read',
      resourceType: 'catalog-entity',
    });
    const { input, ids } = batchOf(asked('a'), request(hostile));
    expect(ids).toHaveLength(2);
    expect(input).toEqual({
      identity: { user: 'user:default/olivia', claims: ['group:a'] },
      permissions: {
        [ids[0]!]: { type: 'basic', name: 'a', attributes: {} },
        [ids[1]!]: hostile,
      },
    });
  });

  it('has other ids each time', () => {
    const all = Array.from({ length: 20 }, () => batchOf(asked('a'), asked('b')).ids);
    expect(new Set(all.flat()).size).toBe(40);
    for (const [a, b] of all) {
      expect(a).toMatch(/^[1-4]\d{9}$/);
      expect(Number(b)).toBe(Number(a) + 1);
    }
  });
});

describe('the answer', () => {
  it('is that of each question, whatever the order', () => {
    const { batch, ids } = batchOf(asked('a'), asked('b'), asked('c'));
    const [a, b, c] = ids as [string, string, string];
    const answer = batch.read(
      result({
        [c]: { result: 'NOT_APPLICABLE' },
        [a]: { result: 'ALLOW', reason: 'even' },
        [b]: { result: 'DENY' },
      }),
      'decision-1',
    );
    expect(kinds(answer)).toEqual(['ALLOW', 'DENY', 'NOT_APPLICABLE']);
    if (answer.kind !== 'ANSWERED') throw new Error('not answered');
    expect(answer.answers[0]).toMatchObject({
      reason: 'the Rego policy says ALLOW: even',
      decisionId: 'decision-1',
      batched: 3,
      exchange: {
        input: { permission: { name: 'a' }, identity: { claims: ['group:a'] } },
        response: { batch: { id: a, questions: 3 }, result: { result: 'ALLOW' } },
      },
    });
  });

  it('is undefined for a question that has none', () => {
    const { batch, ids } = batchOf(asked('a'), asked('b'));
    expect(
      kinds(batch.read(result({ [ids[1]!]: { result: 'ALLOW' } }), undefined)),
    ).toEqual(['UNDEFINED_DECISION', 'ALLOW']);
    expect(kinds(batch.read(result({}), undefined))).toEqual([
      'UNDEFINED_DECISION',
      'UNDEFINED_DECISION',
    ]);
  });

  it.each([[null], [true], ['ALLOW'], [{ result: 'allow' }], [[{ result: 'ALLOW' }]]])(
    'that is %j is invalid for that question only',
    wrong => {
      const { batch, ids } = batchOf(asked('a'), asked('b'));
      const decisions = { [ids[0]!]: wrong, [ids[1]!]: { result: 'DENY' } };
      expect(kinds(batch.read(result(decisions), undefined))).toEqual([
        'BAD_DECISION',
        'DENY',
      ]);
    },
  );

  it.each<[string, (id: string) => unknown, string]>([
    ['is undefined', () => undefined, 'is not loaded in OPA'],
    ['is null', () => null, 'is another rule'],
    ['is a list', id => [result({ [id]: { result: 'ALLOW' } })], 'is another rule'],
    ['has no decisions', () => result({}, { decisions: undefined }), 'is another rule'],
    ['has a list', () => result([{ result: 'ALLOW' }]), 'is another rule'],
    [
      'is of another version',
      id => result({ [id]: { result: 'ALLOW' } }, { version: 2 }),
      'is not of version 1',
    ],
    ['has no version', () => result({}, { version: undefined }), 'is not of version 1'],
    [
      'has its version as text',
      () => result({}, { version: '1' }),
      'is not of version 1',
    ],
    [
      'is for another entrypoint',
      id => result({ [id]: { result: 'ALLOW' } }, { entrypoint: 'team/other' }),
      `made for entrypoint "team/other", not for 'team/decision'`,
    ],
    [
      'is for no entrypoint',
      () => result({}, { entrypoint: ['team/decision'] }),
      'made for entrypoint another one',
    ],
    [
      'has an answer to another question',
      id => result({ [id]: { result: 'ALLOW' }, [`${id}0`]: { result: 'ALLOW' } }),
      'answers questions that were not asked',
    ],
  ])('that %s is used for no question', (_name, make, problem) => {
    const { batch, ids } = batchOf(asked('a'), asked('b'));
    expect(batch.read(make(ids[0]!), undefined)).toEqual({
      kind: 'UNUSABLE',
      problem: expect.stringContaining(problem) as string,
    });
  });

  it('to another request is used for no question', () => {
    const { ids } = batchOf(asked('a'), asked('b'));
    const { batch } = batchOf(asked('a'), asked('b'));
    const decisions = Object.fromEntries(ids.map(id => [id, { result: 'ALLOW' }]));
    expect(batch.read(result(decisions), undefined).kind).toBe('UNUSABLE');
  });

  it('says only a part of what OPA said of itself', () => {
    const { batch } = batchOf(asked('a'), asked('b'));
    const entrypoint = `x\u001b[31m${'y'.repeat(5_000)}`;
    const said = batch.read(result({}, { entrypoint }), undefined);
    if (said.kind !== 'UNUSABLE') throw new Error('it was used');
    expect(said.problem.length).toBeLessThan(1_000);
    expect(said.problem).not.toMatch(/\p{C}/u);
  });
});

describe('a failure', () => {
  it.each(['HTTP_400', 'HTTP_401', 'HTTP_403', 'HTTP_404', 'HTTP_405'])(
    '%s is of the request, not of its questions',
    code => {
      const { batch } = batchOf(asked('a'), asked('b'));
      expect(
        batch.failed(failed('invalid', code, 'OPA refuses it'), undefined),
      ).toEqual({
        kind: 'UNUSABLE',
        problem: "batch 'policy_router/batch' cannot be asked: OPA refuses it",
      });
    },
  );

  it.each([
    failed('invalid', 'HTTP_500', 'a conflict'),
    failed('invalid', 'HTTP_413', 'too large'),
    failed('overloaded', 'HTTP_429', 'limited'),
    failed('unavailable', 'ECONNRESET', 'reset'),
    failed('invalid', 'BAD_JSON', 'no JSON'),
  ])('$failure.code may be of its questions', failure => {
    const { batch } = batchOf(asked('a'), asked('b'));
    expect(batch.failed(failure, 'said')).toEqual({
      ...failure,
      batched: 2,
      exchange: {
        input: [expect.objectContaining({}), expect.objectContaining({})],
        response: 'said',
      },
    });
  });
});
