/** `npm run build:bundle`: compiles the Rego policy of config/ into the embedded Wasm bundle. */
import { execFileSync } from 'node:child_process';
import { obtainOpa } from '../test/support/opa-binary';

export const BUNDLE = 'config/bundle.tar.gz';
export const POLICY = 'config/policies/backstage.rego';
export const ENTRYPOINT = 'backstage_policy/decision';

export const buildArguments = (output: string): string[] => [
  'build',
  ...['--target', 'wasm'],
  ...['--entrypoint', ENTRYPOINT],
  ...['--output', output],
  POLICY,
];

async function main(): Promise<void> {
  const opa = await obtainOpa();
  if (opa.path === undefined)
    throw new Error(`cannot build without OPA: ${opa.reason}`);
  execFileSync(opa.path, buildArguments(BUNDLE), { stdio: 'inherit' });
}

if (require.main === module) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}
