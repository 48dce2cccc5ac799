import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { z } from 'zod';
import { isJsonObject } from '../lib/json-object';
import { oneLine, quote } from '../lib/quote';

/** What a plugin publishes about its rules at `/.well-known/backstage/permissions/metadata`. */
const metadata = z.object({
  rules: z.array(
    z.object({
      name: z.string(),
      resourceType: z.string(),
      /** A JSON Schema; Backstage's own plugins publish draft-07. */
      paramsSchema: z.unknown().optional(),
    }),
  ),
});

export interface ParamsProblem {
  /** `bad`: the params do not match the rule's schema. `unknown`: the schema is unusable. */
  readonly kind: 'bad' | 'unknown';
  readonly message: string;
}

/** The permission rules that one plugin publishes. */
export class PublishedRules {
  private readonly byResourceType = new Map<string, Map<string, PublishedRule>>();

  /** @throws Error if the body is not rule metadata. */
  constructor(body: unknown) {
    for (const { name, resourceType, paramsSchema } of metadata.parse(body).rules) {
      const rules =
        this.byResourceType.get(resourceType) ?? new Map<string, PublishedRule>();
      this.byResourceType.set(resourceType, rules);
      rules.set(name, new PublishedRule(name, paramsSchema));
    }
  }

  get resourceTypes(): readonly string[] {
    return [...this.byResourceType.keys()];
  }

  get(resourceType: string, name: string): PublishedRule | undefined {
    return this.byResourceType.get(resourceType)?.get(name);
  }
}

export class PublishedRule {
  private validate: ValidateFunction | undefined;

  constructor(
    private readonly name: string,
    private readonly paramsSchema: unknown,
  ) {}

  /** The message names the wrong parameter, never its value, which may be private. */
  paramsProblem(params: unknown): ParamsProblem | undefined {
    if (this.paramsSchema === undefined) return undefined;
    try {
      this.validate ??= compileAny(closed(this.paramsSchema));
      if (this.validate(params)) return undefined;
      const [error] = this.validate.errors ?? [];
      return { kind: 'bad', message: `rule ${quote(this.name)}: ${describe(error)}` };
    } catch {
      const message = `the schema of rule ${quote(this.name)} cannot be used`;
      return { kind: 'unknown', message };
    }
  }
}

/**
 * Schemas made with zod 3 refuse unknown parameters. Those made with zod 4 do not mention them, so
 * a misspelt parameter would pass. A schema that wants to allow any parameter says so itself.
 */
function closed(schema: unknown): unknown {
  if (!isJsonObject(schema) || !isJsonObject(schema.properties)) return schema;
  if (namesNoParams(schema)) return { type: 'object' };
  const rulesOnOthers = [
    ...['additionalProperties', 'patternProperties', 'unevaluatedProperties'],
    ...['allOf', 'anyOf', 'oneOf', '$ref'],
  ];
  return rulesOnOthers.some(key => key in schema)
    ? schema
    : { ...schema, additionalProperties: false };
}

/**
 * Whether this is how a rule without a schema is published, as one whose schema is an empty object
 * is. Backstage passes the params to such a rule without checking them, so this does too.
 */
const namesNoParams = (schema: Record<string, unknown>): boolean =>
  Object.keys(schema.properties as object).length === 0 &&
  (schema.type ?? 'object') === 'object' &&
  (schema.additionalProperties ?? false) === false &&
  Object.keys(schema).every(key => PLAIN_KEYS.has(key));

const PLAIN_KEYS = new Set(['$schema', 'type', 'properties', 'additionalProperties']);

/** JSON Schema patterns are Unicode regular expressions, but some plugins publish others. */
function compileAny(schema: unknown): ValidateFunction {
  try {
    return compile(schema, true);
  } catch {
    return compile(schema, false);
  }
}

/** Lenient, because the schemas are those of other plugins. */
function compile(schema: unknown, unicodeRegExp: boolean): ValidateFunction {
  const ajv = addFormats(
    new Ajv({ strict: false, validateSchema: false, unicodeRegExp, logger: false }),
  );
  const validate = ajv.compile(schema as object);
  if ('$async' in validate) throw new Error('the schema is asynchronous');
  return validate;
}

function describe(error: ErrorObject | undefined): string {
  if (!error) return 'params do not match its schema';
  // Names the parameter but nothing inside it, which would be part of its value.
  const [, parameter, deeper] = error.instancePath.split('/');
  const path = parameter === undefined ? 'params' : `params.${parameter}`;
  const within = deeper === undefined ? '' : 'a part of ';
  const extra: unknown = error.params.additionalProperty;
  const which =
    extra === undefined || parameter !== undefined ? '' : `: ${quote(extra)}`;
  const what = oneLine(error.message ?? 'does not match its schema');
  return `${within}${quote(path)} ${what}${which}`;
}
