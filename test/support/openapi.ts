/** docs/openapi.yaml, held against what the operations API answers. */
import { readFileSync } from 'node:fs';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

type Json = Record<string, unknown>;

const document = parse(readFileSync('docs/openapi.yaml', 'utf8')) as {
  readonly paths: Record<string, Record<string, Json>>;
};

const ajv = addFormats(new Ajv2020({ strict: false, allErrors: true }));
ajv.addSchema(document, 'openapi');

const pointer = (...keys: readonly string[]): string =>
  keys.map(key => key.replaceAll('~', '~0').replaceAll('/', '~1')).join('/');

const validators = new Map<string, ValidateFunction>();

/** Every call that the document describes, such as `GET /table`. */
export const describedCalls = (): string[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
  );

/** What the document says is wrong with an answer; empty if it is as described. */
export function answerProblems(
  method: 'get' | 'post',
  path: string,
  status: number,
  body: unknown,
): string[] {
  const place =
    status === 200
      ? pointer(
          'paths',
          path,
          method,
          'responses',
          '200',
          'content',
          'application/json',
          'schema',
        )
      : pointer('components', 'schemas', 'Error');
  let validate = validators.get(place);
  if (!validate) {
    validate = ajv.compile({ $ref: `openapi#/${place}` });
    validators.set(place, validate);
  }
  return validate(body)
    ? []
    : (validate.errors ?? []).map(
        ({ instancePath, message, params }) =>
          `${method} ${path} ${instancePath} ${message} ${JSON.stringify(params)}`,
      );
}
