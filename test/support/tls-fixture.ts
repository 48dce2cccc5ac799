import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text of a file in `test/fixtures/tls`. */
export const tlsFixture = (name: string): string =>
  readFileSync(join(__dirname, '../fixtures/tls', name), 'utf8');
