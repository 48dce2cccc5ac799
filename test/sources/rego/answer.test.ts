import { regoAnswer } from '../../../src/sources/rego/answer';

describe('a Rego decision', () => {
  it('that is undefined does not abstain: before a bundle is active, all are undefined', () => {
    expect(regoAnswer(undefined)).toMatchObject({
      kind: 'FAILED',
      failure: { class: 'invalid', code: 'UNDEFINED_DECISION' },
    });
  });

  it.each([
    ['ALLOW', 'the Rego policy says ALLOW'],
    ['DENY', 'the Rego policy says DENY'],
    ['NOT_APPLICABLE', 'the Rego policy abstains'],
  ])('that is %s names its policy in the reason', (result, reason) => {
    expect(regoAnswer({ result })).toEqual({ kind: result, reason });
  });

  const problem = (document: unknown): string => {
    const answer = regoAnswer(document);
    return answer.kind === 'FAILED'
      ? `${answer.failure.code} ${answer.failure.message}`
      : answer.kind;
  };

  it.each<[what: string, document: object, message: string]>([
    [
      'a package with a decision',
      { allow: true, decision: { result: 'DENY' }, other: { decision: {} } },
      'BAD_DECISION the answer has no "result": the entrypoint names a package, and its rule "decision" is a decision; add /decision to the entrypoint',
    ],
    [
      'a package with a decision of another name',
      { verdict: { result: 'CONDITIONAL' } },
      'BAD_DECISION the answer has no "result": the entrypoint names a package, and its rule "verdict" is a decision; add /verdict to the entrypoint',
    ],
    [
      'something else',
      { allow: true, decision: { result: 'yes' } },
      'BAD_DECISION the answer has no "result"; does the entrypoint name a package? It must name a rule whose value is a decision, such as {"result": "ALLOW"}',
    ],
    [
      'nothing',
      {},
      'BAD_DECISION the answer has no "result"; does the entrypoint name a package? It must name a rule whose value is a decision, such as {"result": "ALLOW"}',
    ],
    [
      'a wrong result',
      { result: 'yes', decision: { result: 'DENY' } },
      'BAD_DECISION result must be "ALLOW", "DENY", "CONDITIONAL" or "NOT_APPLICABLE"',
    ],
    [
      'a package with a rule that no entrypoint can name',
      { 'a b': { result: 'DENY' } },
      'BAD_DECISION the answer has no "result"; does the entrypoint name a package? It must name a rule whose value is a decision, such as {"result": "ALLOW"}',
    ],
  ])('that is %s is invalid, with the likely mistake', (_what, document, message) => {
    expect(problem(document)).toBe(message);
  });

  it('of another shape is invalid', () => {
    expect(regoAnswer({ allow: true })).toMatchObject({
      kind: 'FAILED',
      failure: { class: 'invalid', code: 'BAD_DECISION' },
    });
  });
});
