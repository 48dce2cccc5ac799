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

describe('the reason in a Rego decision', () => {
  const reasonOf = (
    reason: unknown,
    decision: object = { result: 'DENY' },
  ): unknown => {
    const answer = regoAnswer({ ...decision, reason });
    return answer.kind === 'FAILED' ? answer.failure : answer.reason;
  };
  const conditional = {
    result: 'CONDITIONAL',
    pluginId: 'catalog',
    resourceType: 'catalog-entity',
    conditions: { resourceType: 'catalog-entity', rule: 'R' },
  };

  it.each([
    ['the Rego policy says ALLOW: why', { result: 'ALLOW' }],
    ['the Rego policy says DENY: why', { result: 'DENY' }],
    ['the Rego policy abstains: why', { result: 'NOT_APPLICABLE' }],
    ['the Rego policy says CONDITIONAL: why', conditional],
  ])('is part of: %s', (expected, decision) => {
    expect(reasonOf('why', decision)).toBe(expected);
  });

  it('changes nothing else of the decision', () => {
    expect(regoAnswer({ ...conditional, reason: 'why' })).toEqual({
      ...regoAnswer(conditional),
      reason: 'the Rego policy says CONDITIONAL: why',
    });
  });

  it.each([
    ['is one line', 'a\nb\r\n\tc\u0085d\u2028e\u2029f', 'a b c d e f'],
    ['has no white space around it', ' \n why \n', 'why'],
    ['has no control characters', 'a\u0000b\u0007c\u007fd\u009fe', 'abcde'],
    [
      'has no colours',
      '\u001b[1;31mred\u001b[0m and \u009b4mlined\u009bm',
      'red and lined',
    ],
    ['does not clear the screen', '\u001b[2J\u001b[Hclear\u001bc', 'clear'],
    [
      'sets no title and no link',
      '\u001b]0;owned\u0007a\u001b]8;;http://x\u001b\\b',
      'ab',
    ],
    ['has no half sequence', 'a\u001b', 'a'],
    ['does not change its direction', 'a\u202eb\u2066c\u200fd', 'abcd'],
    ['has no halves of characters', 'a\ud83db\ude00c', 'abc'],
    ['keeps other languages', 'Prüfung nötig: 承認 🙂', 'Prüfung nötig: 承認 🙂'],
  ])('%s', (_rule, given, shown) => {
    expect(reasonOf(given)).toBe(`the Rego policy says DENY: ${shown}`);
  });

  it.each(['', ' ', '\u001b[0m\n', '\u0000'])('%j is as none', reason => {
    expect(reasonOf(reason)).toBe('the Rego policy says DENY');
  });

  it('has at most 500 characters; a longer one ends with …', () => {
    const longest = 'x'.repeat(500);
    expect(reasonOf(longest)).toBe(`the Rego policy says DENY: ${longest}`);
    const cut = `the Rego policy says DENY: ${'x'.repeat(499)}…`;
    expect(reasonOf(`${longest}x`)).toBe(cut);
    expect(reasonOf('x'.repeat(1_000_000))).toBe(cut);
    expect(reasonOf(`${'\u001b[0m'.repeat(2_000)}${longest}x`)).toBe(cut);
  });

  it.each([[['why']], [{ why: 1 }], [1], [true], [null]])(
    'that is %j is invalid, because it must be a string',
    reason => {
      expect(reasonOf(reason, { result: 'ALLOW' })).toEqual({
        class: 'invalid',
        code: 'BAD_DECISION',
        message: 'reason: must be a string',
      });
    },
  );

  it('is not quoted when the decision is refused', () => {
    expect(
      JSON.stringify(regoAnswer({ result: 'PERMIT', reason: 'hunter2' })),
    ).not.toContain('hunter2');
  });
});
