/** `npm start`: the sample backend decides some permissions for three people, then stays up. */
import { setTimeout as delay } from 'node:timers/promises';
import { startSampleBackend } from './backend';
import { billingPlugin } from './billing';
import { catalogNames, CHECKS, decide, type Decided } from './checks';
import { PERSONAS, type Persona } from './personas';
import { printTable } from './table';
import type { DecisionRecord } from '../src/trace/record';
import { sentenceOf } from '../src/trace/sentence';

async function main(): Promise<void> {
  const policyConfig = process.env.OPA_URL
    ? 'config/app-config.yaml'
    : 'config/app-config.embedded.yaml';
  // `npm start -- my.yaml` merges more app-config files over the sample's.
  const furtherConfig = process.argv.slice(2);
  const traces: DecisionRecord[] = [];
  const backend = await startSampleBackend({
    configFiles: ['dev/app-config.yaml', policyConfig, ...furtherConfig],
    onTrace: trace => traces.push(trace),
    features: [billingPlugin],
  });

  await catalogIsComplete(backend.url, await backend.signIn('petra'));
  const personas = Object.keys(PERSONAS) as Persona[];
  const decided = new Map<Persona, Decided[]>();
  const lists = new Map<Persona, string[]>();
  for (const persona of personas) {
    const token = await backend.signIn(persona);
    decided.set(persona, await decide(backend.url, token, traces));
    lists.set(persona, await catalogNames(backend.url, token));
  }

  console.log(`\nWho may do what (policy config: ${policyConfig}):\n`);
  for (const persona of personas)
    console.log(`  ${persona.padEnd(7)} ${PERSONAS[persona]}`);
  console.log();
  printTable(
    ['permission', 'on', ...personas, 'route'],
    CHECKS.map(({ permission, resourceRef }, index) => [
      permission.name,
      resourceRef?.replace(/^.*:default\//, '') ?? '',
      ...personas.map(persona => decided.get(persona)![index]!.result),
      decided.get(personas[0]!)![index]!.trace.route ?? '',
    ]),
  );
  console.log('\nWhy:\n');
  printTable(
    ['permission', 'on', 'who', 'decision', 'why'],
    CHECKS.flatMap(({ permission, resourceRef }, index) =>
      personas.map(persona => {
        const { result, trace } = decided.get(persona)![index]!;
        const on = resourceRef?.replace(/^.*:default\//, '') ?? '';
        return [permission.name, on, persona, result, sentenceOf(trace)];
      }),
    ),
  );
  console.log('\nComponents a list query returns:\n');
  for (const persona of personas) {
    console.log(`  ${persona.padEnd(7)} ${lists.get(persona)!.join(', ')}`);
  }
  printCurlLines(backend.url);
}

const SAMPLE_COMPONENTS = 4;

/** The catalog ingests entities one by one, so this waits until a user who may see all does. */
async function catalogIsComplete(url: string, token: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if ((await catalogNames(url, token)).length === SAMPLE_COMPONENTS) return;
    await delay(100);
  }
  throw new Error(
    `petra does not see the ${SAMPLE_COMPONENTS} components of the sample catalog. ` +
      (process.env.OPA_URL
        ? `Does the OPA at OPA_URL run with config/policies/backstage.rego? See the warnings above.`
        : 'See the warnings above.'),
  );
}

function printCurlLines(url: string): void {
  console.log(`
The backend stays up at ${url} (stop it with Ctrl-C). Sign in as petra, who may
ask why others are denied, or by as=olivia or as=nolan:

  token=$(curl -sS -X POST '${url}/api/auth/personas/refresh?as=petra' |
    node -pe 'JSON.parse(fs.readFileSync(0)).backstageIdentity.token')

Why may nolan not delete payments-api?

  curl -sS ${url}/api/policy-router/v1/explain -H "Authorization: Bearer $token" \\
    -H 'Content-Type: application/json' -d '{ "user": "user:default/nolan",
      "permission": "catalog.entity.delete", "resource": "component:default/payments-api" }' |
    grep -E '"sentence"|"error"'

docs/operations.md has more such commands. And what may you do yourself?

  curl -sS ${url}/api/permission/authorize -H "Authorization: Bearer $token" \\
    -H 'Content-Type: application/json' -d '{"items": [{"id": "1",
    "permission": {"type": "resource", "name": "catalog.entity.delete",
    "attributes": {"action": "delete"}, "resourceType": "catalog-entity"},
    "resourceRef": "component:default/payments-api"}]}'

  curl -sS "${url}/api/catalog/entities?filter=kind=component&fields=metadata.name" \\
    -H "Authorization: Bearer $token"

Edit config/routing.yaml and ask again: the new table is in use within a second.
`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
