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
  const unknown = new Map<z.core.$ZodType, string>();
  const described = new Set<z.core.$ZodType>();
  const made = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    reused: 'inline',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema, path }) => {
      if (zodSchema instanceof z.ZodObject) markRequired(zodSchema, jsonSchema);
      if (!isCode(zodSchema)) return;
      if (isEmpty(jsonSchema)) unknown.set(zodSchema, path.join('.'));
      else addWithParents(zodSchema, described);
    },
  }) as JsonSchema;
  for (const [each, place] of unknown) {
    if (described.has(each)) continue;
    throw new Error(
      `'${place}' is checked by code; describe it in JSON Schema, with meta()`,
    );
  }
  delete made.$schema;
  return made;
}

/** `meta` makes a copy, whose parent is the schema without it. */
function addWithParents(schema: z.core.$ZodType, to: Set<z.core.$ZodType>): void {
  for (let each: z.core.$ZodType | undefined = schema; each; each = each._zod.parent)
    to.add(each);
}

/** A key is required if it is an error to leave it out; zod does not know this of code. */
function markRequired({ shape }: z.ZodObject, jsonSchema: JsonSchema): void {
  const required = Object.keys(shape).filter(
    key => !(shape[key] as z.ZodType).safeParse(undefined).success,
  );
  if (required.length > 0) jsonSchema.required = required;
  else delete jsonSchema.required;
}

/** An object that has this key, whatever is in it. */
export const having = (key: string): JsonSchema => ({
  properties: { [key]: {} },
  required: [key],
});

/** A whole document, to be written into a file. */
export const jsonSchemaDocument = (
  schema: z.ZodType,
  head: {
    readonly title: string;
    readonly description: string;
    readonly definitions?: Record<string, JsonSchema>;
  },
): JsonSchema => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  ...head,
  ...jsonSchemaOf(schema),
});

const isCode = (schema: z.core.$ZodType): boolean =>
  schema instanceof z.ZodCustom ||
  (schema instanceof z.ZodPipe && schema.out instanceof z.ZodTransform);

const COMMENTS: ReadonlySet<string> = new Set(['description', 'default', 'title']);
const isEmpty = (jsonSchema: object): boolean =>
  Object.keys(jsonSchema).every(key => COMMENTS.has(key));
