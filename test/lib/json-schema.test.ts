import { z } from 'zod';
import { duration, integer, oneOrMore, strict, text } from '../../src/lib/fields';
import { jsonSchemaOf } from '../../src/lib/json-schema';

it('is of what is written, before it is read', () => {
  const schema = strict({
    names: oneOrMore(text('a name'), 'names'),
    size: integer(1, 9, 3),
    wait: duration('2s').describe('How long.'),
  });
  expect(jsonSchemaOf(schema)).toEqual({
    type: 'object',
    properties: {
      names: {
        anyOf: [
          { type: 'string', minLength: 1 },
          {
            type: 'array',
            items: { type: 'string', minLength: 1 },
            minItems: 1,
            maxItems: 10_000,
            uniqueItems: true,
          },
        ],
      },
      size: {
        anyOf: [
          { type: 'integer', minimum: 1, maximum: 9 },
          { type: 'string', pattern: '^-?\\d+$' },
        ],
        default: 3,
      },
      wait: {
        anyOf: [
          { type: 'string', minLength: 1 },
          { type: 'object', minProperties: 1 },
        ],
        description: 'How long.',
      },
    },
    required: ['names'],
    additionalProperties: false,
  });
});

it.each([
  ['a custom check', z.custom<string>(value => value === 'a')],
  ['a transformation', z.unknown().transform(String)],
])('refuses %s that says nothing of what it accepts', (_what, field) => {
  expect(() => jsonSchemaOf(strict({ field }))).toThrow(
    "'properties.field' is checked by code; describe it in JSON Schema, with meta()",
  );
  const described = field.meta({ type: 'string' });
  expect(jsonSchemaOf(strict({ field: described })).properties).toEqual({
    field: { type: 'string' },
  });
});
