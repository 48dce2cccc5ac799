import { Answers, CLAIMS, requestsOf, type Request } from './questions';

interface Item {
  readonly id: string;
  readonly permission: { readonly name: string };
}

const namesOf = ({ body }: Request): string[] =>
  (JSON.parse(body) as { items: Item[] }).items.map(
    ({ permission }) => permission.name,
  );

/** The body of a response with these results. */
const response = (...results: ReadonlyArray<string | object>): string =>
  JSON.stringify({
    items: results.map((result, id) => ({
      id: String(id),
      ...(typeof result === 'string' ? { result } : result),
    })),
  });

const OWNED = {
  result: 'CONDITIONAL',
  pluginId: 'catalog',
  conditions: { rule: 'IS_ENTITY_OWNER', params: { claims: CLAIMS } },
};

it('distinct questions are never asked twice', () => {
  const [one, other] = [requestsOf('distinct', 3), requestsOf('distinct', 3)];
  const names = [one(), one(), other()].flatMap(namesOf);
  expect(new Set(names).size).toBe(9);
});

it('some distinct questions must be denied', () => {
  const next = requestsOf('distinct', 1);
  const requests = Array.from({ length: 300 }, next);
  const denied = requests.filter(request => request.denied === 0);
  expect(denied.length).toBeGreaterThanOrEqual(2);
  for (const request of denied) expect(namesOf(request)[0]).toMatch(/^closed\./);
  const others = requests.filter(request => request.denied === -1);
  for (const request of others) expect(namesOf(request)[0]).toMatch(/^open\./);
});

it.each(['equal', 'conditional'] as const)('%s questions stay the same', kind => {
  const next = requestsOf(kind, 3);
  expect(next().body).toBe(next().body);
  expect(new Set(namesOf(next())).size).toBe(3);
});

describe('an answer', () => {
  const request = { body: '', denied: -1 };

  it('is right if each item is', () => {
    const answers = new Answers('distinct', 2, 'by name');
    const right = response('ALLOW', 'ALLOW');
    expect(answers.isRight(200, right, request)).toBe(true);
    expect(answers.isRight(200, right, request)).toBe(true);
    expect(
      answers.isRight(200, response('ALLOW', 'DENY'), { body: '', denied: 1 }),
    ).toBe(true);
  });

  it.each([
    ['is denied', 200, response('ALLOW', 'DENY'), -1],
    ['is allowed in place of denied', 200, response('ALLOW', 'ALLOW'), 1],
    ['is denied in place of another', 200, response('DENY', 'ALLOW'), 1],
    ['is missing', 200, response('ALLOW'), -1],
    ['has the id of another', 200, response({ id: '1', result: 'ALLOW' }, 'ALLOW'), -1],
    ['came with an error', 500, response('ALLOW', 'ALLOW'), -1],
  ])('is wrong if an item %s', (_what, status, body, denied) => {
    const answers = new Answers('distinct', 2, 'by name');
    // What was right before must not make it right.
    answers.isRight(200, response('ALLOW', 'ALLOW'), request);
    expect(answers.isRight(status, body, { body: '', denied })).toBe(false);
  });

  it('of those who look at no name is always ALLOW', () => {
    const answers = new Answers('distinct', 1, 'allows');
    expect(answers.isRight(200, response('ALLOW'), { body: '', denied: 0 })).toBe(true);
    expect(answers.isRight(200, response('DENY'), { body: '', denied: 0 })).toBe(false);
  });

  it('during an outage is always DENY', () => {
    const answers = new Answers('distinct', 1, 'denies');
    expect(answers.isRight(200, response('DENY'), request)).toBe(true);
    expect(answers.isRight(200, response('ALLOW'), request)).toBe(false);
  });

  it('to a conditional question has the condition of the owner', () => {
    const isRight = (item: object) =>
      new Answers('conditional', 1, 'by name').isRight(200, response(item), request);
    expect(isRight(OWNED)).toBe(true);
    expect(isRight({ ...OWNED, conditions: { anyOf: [OWNED.conditions] } })).toBe(true);
    expect(isRight({ result: 'ALLOW' })).toBe(false);
    const fewer = { rule: 'IS_ENTITY_OWNER', params: { claims: CLAIMS.slice(1) } };
    expect(isRight({ ...OWNED, conditions: fewer })).toBe(false);
  });
});
