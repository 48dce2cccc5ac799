import { answerProblems, describedCalls } from '../support/openapi';

it('the document describes all calls', () => {
  expect(describedCalls()).toEqual([
    'GET /table',
    'GET /sources',
    'GET /coverage',
    'GET /decisions',
    'GET /decisions/{number}',
    'GET /shadow',
    'GET /observed',
    'POST /explain',
    'POST /diff',
  ]);
});

it.each([
  ['what is required is missing', { replica: 'a' }],
  ['something is not described', { replica: 'a', sources: [], more: 1 }],
])('an answer is refused if %s', (_what, body) => {
  expect(answerProblems('get', '/sources', 200, body)).not.toEqual([]);
});
