import { invalid, type Chapter } from './fault';
import { ALLOW, replies, stubScene } from './stub-peer';

const KEY = '"result":{"result":"DENY"}';

const spoilt = (json: string): Buffer => Buffer.from(json, 'latin1');

const inLatin1 = spoilt(
  JSON.stringify({
    result: {
      result: 'CONDITIONAL',
      pluginId: 'catalog',
      resourceType: 'catalog-entity',
      conditions: {
        not: {
          rule: 'HAS_METADATA',
          resourceType: 'catalog-entity',
          params: { key: 'title', value: 'Caf\xe9' },
        },
      },
    },
  }),
);

/** Answers in which one parser would see an ALLOW and another one a DENY. */
export const ambiguous: Chapter = {
  title: 'gives an ambiguous answer',
  scenes: [
    stubScene(
      'answers DENY and ALLOW under one key',
      replies('{"result":{"result":"DENY","result":"ALLOW"}}'),
      invalid('BAD_JSON'),
    ),
    stubScene(
      'answers DENY and ALLOW under one key that is escaped once',
      replies('{"result":{"result":"DENY","r\\u0065sult":"ALLOW"}}'),
      invalid('BAD_JSON'),
    ),
    stubScene(
      'answers two decisions under one key',
      replies(`{${KEY},${ALLOW.slice(1)}`),
      invalid('BAD_JSON'),
    ),
    stubScene(
      'answers an ALLOW with a byte that is not UTF-8',
      replies(spoilt(`{"by":"\xe9",${ALLOW.slice(1)}`)),
      invalid('BAD_JSON'),
    ),
    stubScene(
      'answers a condition with a value in Latin-1',
      replies(inLatin1),
      invalid('BAD_JSON'),
    ),
  ],
};
