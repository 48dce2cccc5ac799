import { Argument, Command } from 'commander';
import { routingJsonSchema } from '../../config/json-schema';
import { testsJsonSchema } from '../cases/json-schema';
import { json } from '../io';
import type { MakeCommand } from '../make-command';

const SCHEMAS = { routing: routingJsonSchema, tests: testsJsonSchema };

/** `policy-router schema`: the JSON Schema of a file, for editors and other tools. */
export const schemaCommand: MakeCommand = io =>
  new Command()
    .description(
      `Prints the JSON Schema (draft 7) of a routing file or of a test file. The package has both as files, in its folder config.

Example:
  policy-router schema tests > tests.schema.json`,
    )
    .addArgument(
      new Argument('[file]', 'of which kind of file')
        .choices(Object.keys(SCHEMAS))
        .default('routing'),
    )
    .action((file: keyof typeof SCHEMAS) => io.out(json(SCHEMAS[file]())));
