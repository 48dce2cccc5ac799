/** Writes the JSON Schemas of `config/`, for editors. Run it with `npx tsx dev/write-schemas.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testsJsonSchema } from '../src/cli/cases/json-schema';
import { routingJsonSchema } from '../src/config/json-schema';
import type { JsonSchema } from '../src/lib/json-schema';

const CONFIG = join(__dirname, '../config');

/** The name of each file, and what it contains. */
export const SCHEMAS: Readonly<Record<string, () => JsonSchema>> = {
  'routing.schema.json': routingJsonSchema,
  'tests.schema.json': testsJsonSchema,
};

async function main(): Promise<void> {
  // Not above: a test that imports this file cannot load prettier.
  const { format, resolveConfig } = await import('prettier');
  for (const [name, schemaOf] of Object.entries(SCHEMAS)) {
    const filepath = join(CONFIG, name);
    const options = { ...(await resolveConfig(filepath)), filepath };
    writeFileSync(filepath, await format(JSON.stringify(schemaOf()), options));
  }
}

if (require.main === module) void main();
