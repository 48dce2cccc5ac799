import { jsonSchemaDocument, type JsonSchema } from '../../lib/json-schema';
import { CONDITIONS_DEFINITIONS } from './conditions-schema';
import { testFileSchema } from './schema';

/** The JSON Schema of a test file, for editors. Never stricter than the reader. */
export const testsJsonSchema = (): JsonSchema =>
  jsonSchemaDocument(testFileSchema, {
    title: 'Tests of a routing table of the Backstage policy router',
    description: 'The decisions that are expected of users, permissions and entities.',
    definitions: CONDITIONS_DEFINITIONS,
  });
