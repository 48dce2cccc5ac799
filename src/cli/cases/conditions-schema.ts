/**
 * The JSON Schema of the conditions of a case, as `parseTemplate` reads them. How deep they may be
 * nested cannot be said here.
 */
import { having, type JsonSchema } from '../../lib/json-schema';

const PLACEHOLDERS = ['$user', '$ownershipRefs'];

export const CONDITIONS_REF = '#/definitions/conditions';

/** The definitions that `CONDITIONS_REF` needs. */
export const CONDITIONS_DEFINITIONS: Record<string, JsonSchema> = {
  conditions: criteria('conditions', {
    anyOf: [{ type: 'string', enum: PLACEHOLDERS }, { $ref: '#/definitions/value' }],
  }),
  // Under a not, a placeholder would open what it should close.
  negated: criteria('negated', { $ref: '#/definitions/value' }),
  value: {
    description: "A value. Text that begins with '$' is written with '$$'.",
    anyOf: [
      { type: 'string', pattern: '^(?!\\$(?!\\$))' },
      { type: 'number' },
      { type: 'boolean' },
      { type: 'null' },
      { type: 'array', items: { $ref: '#/definitions/value' } },
      { type: 'object', additionalProperties: { $ref: '#/definitions/value' } },
    ],
  },
};

function criteria(self: string, param: JsonSchema): JsonSchema {
  const group = (description: string): JsonSchema => ({
    type: 'array',
    minItems: 1,
    items: { $ref: `#/definitions/${self}` },
    description,
  });
  return {
    type: 'object',
    properties: {
      rule: { type: 'string', minLength: 1, description: 'The name of the rule.' },
      resourceType: {
        type: 'string',
        minLength: 1,
        description: 'The resource type of the rule. Default: that of the permission.',
      },
      params: {
        type: 'object',
        propertyNames: { type: 'string', pattern: '^(?!__proto__$)' },
        additionalProperties: param,
        description: 'The parameters of the rule.',
      },
      allOf: group('All of these hold.'),
      anyOf: group('At least one of these holds.'),
      not: {
        allOf: [{ $ref: '#/definitions/negated' }],
        description: 'This does not hold.',
      },
    },
    additionalProperties: false,
    if: having('rule'),
    then: { properties: { allOf: false, anyOf: false, not: false } },
    else: {
      minProperties: 1,
      maxProperties: 1,
      properties: { resourceType: false, params: false },
    },
  };
}
