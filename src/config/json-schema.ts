import { nonEmptyList, strict } from '../lib/fields';
import { jsonSchemaDocument, type JsonSchema } from '../lib/json-schema';
import { routeSchema, settingsSchema } from './schema';

const { fallback, routes } = settingsSchema.shape;

/**
 * What a routing file may contain, as far as it can be said of the file alone: not which sources there
 * are, and not which routes tie.
 */
const routingFileSchema = strict({
  fallback,
  routes: nonEmptyList(routeSchema, 'routes', Infinity).describe(routes.description!),
});

/** The JSON Schema of a routing file, for editors. Never stricter than the reader. */
export const routingJsonSchema = (): JsonSchema =>
  jsonSchemaDocument(routingFileSchema, {
    title: 'Routing table of the Backstage policy router',
    description: 'Which source decides which permission.',
  });
