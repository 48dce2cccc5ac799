/** JSON Schema from the schemas of `fields.ts`: of what is written, before it is read. */
import { z } from 'zod';

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * The schema for editors, in draft 7, the newest that the YAML language server supports in all its
 * versions. What zod checks by code is taken from its `meta`.
 *
 * @throws Error if zod checks something by code only, and its `meta` does not say what.
 */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const made = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    reused: 'inline',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema, path }) => {
      if (zodSchema instanceof z.ZodObject) markRequired(zodSchema, jsonSchema);
      if (isCode(zodSchema) && isEmpty(jsonSchema)) {
        throw new Error(
          `${path.join('.')} is checked by code; describe it in JSON Schema, with meta()`,
        );
      }
    },
  }) as JsonSchema;
  delete made.$schema;
  return made;
}

/** A key is required if it is an error to leave it out; zod does not know this of code. */
function markRequired({ shape }: z.ZodObject, jsonSchema: JsonSchema): void {
  const required = Object.keys(shape).filter(
    key => !(shape[key] as z.ZodType).safeParse(undefined).success,
  );
  if (required.length > 0) jsonSchema.required = required;
  else delete jsonSchema.required;
}

const isCode = (schema: z.core.$ZodType): boolean =>
  schema instanceof z.ZodCustom ||
  (schema instanceof z.ZodPipe && schema.out instanceof z.ZodTransform);

const COMMENTS: ReadonlySet<string> = new Set(['description', 'default', 'title']);
const isEmpty = (jsonSchema: object): boolean =>
  Object.keys(jsonSchema).every(key => COMMENTS.has(key));
