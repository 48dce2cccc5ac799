import { obtainOpa } from './opa-binary';

// For shell scripts: OPA="$(npx tsx test/support/obtain-opa.ts)". Stdout has only the path.
obtainOpa().then(
  opa => {
    if (opa.path === undefined) fail(opa.reason);
    else process.stdout.write(`${opa.path}\n`);
  },
  (error: unknown) => fail(error instanceof Error ? error.message : String(error)),
);

function fail(reason: string): void {
  process.stderr.write(`${reason}\n`);
  process.exitCode = 1;
}
