/**
 * Run manually: `npx tsx test/soak/wasm-memory.ts [questions]`. Asks an embedded Wasm policy a
 * million questions, large, small and ones that make it fail, and exits with 1 if its memory or
 * the process's keeps growing.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_GROWTH } from '../../src/sources/opa-wasm/evaluator';
import { OpaWasmSource } from '../../src/sources/opa-wasm/source';
import { CapturedLogs } from '../support/captured-logs';
import { obtainOpa } from '../support/opa-binary';
import { buildBundle } from '../support/wasm-bundle';

const QUESTIONS = 1_000_000;
const REPORTS = 10;
/** How much the process may grow after the first tenth, in bytes. */
const RSS_GROWTH = 128 * 1024 * 1024;

const REGO = `package soak

import rego.v1

name := input.permission.name

decision := {"result": "ALLOW"} if "group:default/0" in input.identity.claims
decision := {"result": "DENY"} if name == "conflict"
decision := {"result": "ALLOW"} if {
	name == "missing"
	http.send({"method": "get", "url": name}).status_code == 200
}
decision := {"result": "ALLOW"} if {
	name == "much memory"
	count([[x, y] | some x in numbers.range(1, 200); some y in numbers.range(1, 200)]) > 0
}
decision := {"result": "ALLOW"} if regex.match(sprintf("^%s$", [input.identity.user]), name)
`;

const groups = Array.from({ length: 5000 }, (_, index) => `group:default/${index}`);

/** The name in the n-th question, and whether the policy fails on it. */
function nameOf(index: number): readonly [name: string, breaks: boolean] {
  if (index % 1000 === 999) return ['much memory', false];
  if (index % 100 === 50) return ['conflict', true];
  if (index % 100 === 51) return ['missing', true];
  return [`permission.${index}`, false];
}

async function main(questions: number): Promise<boolean> {
  const opa = await obtainOpa();
  if (opa.path === undefined) throw new Error(`no OPA: ${opa.reason}`);
  const folder = await mkdtemp(join(tmpdir(), 'policy-router-'));
  const bundle = join(folder, 'bundle.tar.gz');
  await writeFile(bundle, await buildBundle(opa.path, REGO, 'soak/decision'));
  const source = await OpaWasmSource.load(
    { bundle, entrypoint: 'soak/decision' },
    'soak',
    new CapturedLogs().logger(),
  );
  try {
    return ask(source, questions);
  } finally {
    await source.close();
    await rm(folder, { recursive: true });
  }
}

function ask(source: OpaWasmSource, questions: number): boolean {
  const fresh = source.memoryBytes;
  const step = Math.ceil(questions / REPORTS);
  let wrong = 0;
  let largest = 0;
  let early = 0;
  let now = 0;
  console.log(`${questions} questions; a fresh instance has ${fresh} bytes`);
  for (let index = 0; index < questions; index++) {
    const [name, breaks] = nameOf(index);
    const many = index % 2000 === 0 ? 5000 : index % 50;
    const answer = source.ask({
      permission: { type: 'basic', name, attributes: {} },
      principal: {
        userEntityRef: `user:default/${index}`,
        ownershipEntityRefs: groups.slice(0, 1 + many),
      },
    });
    if (answer.kind !== (breaks ? 'FAILED' : 'ALLOW')) wrong++;
    largest = Math.max(largest, source.memoryBytes);
    if ((index + 1) % step !== 0) continue;
    now = process.memoryUsage.rss();
    early ||= now;
    console.log(
      `${index + 1}: Wasm ${source.memoryBytes} bytes, largest ${largest}; process ${now >> 20} MiB; wrong answers ${wrong}`,
    );
  }
  return wrong === 0 && largest <= fresh + MAX_GROWTH && now <= early + RSS_GROWTH;
}

main(Number(process.argv[2] ?? QUESTIONS)).then(
  bounded => {
    console.log(bounded ? 'Memory is bounded.' : 'Memory or answers are wrong.');
    process.exitCode = bounded ? 0 : 1;
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
