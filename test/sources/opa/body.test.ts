import fc from 'fast-check';
import { parseBody } from '../../../src/sources/opa/body';

const parse = (text: string): unknown => parseBody(Buffer.from(text));

it('reads all JSON that can be read in one way only', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(4), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      expect(parse(text)).toEqual(JSON.parse(text));
    }),
  );
});

it.each([
  [
    '{"a":"x\\":y","b":{"a":1},"c":[{"a":"\\\\"}]}',
    'names in texts and in other objects',
  ],
  ['{"a" \n:1}', 'white space before the colon'],
])('reads %s: %s', text => {
  expect(parse(text)).toEqual(JSON.parse(text));
});

it.each([
  '{"a":1,"a":1}',
  '{"a":1,"\\u0061":2}',
  '{"1":1,"1":2}',
  '{"__proto__":1,"__proto__":2}',
  '[{"b":{"a":1 , "a" :2}}]',
  '{"a":',
  '',
])('reads nothing in %j', text => {
  expect(parse(text)).toBeUndefined();
});

it('reads nothing in bytes that are not UTF-8', () => {
  expect(parseBody(Buffer.from('{"a":"\xe9"}', 'latin1'))).toBeUndefined();
});
