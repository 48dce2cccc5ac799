/** A real OPA process in different states. */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '../support/backend';
import { startOpa, type OpaServer, type OpaServerOptions } from '../support/opa-server';
import { until } from '../support/until';
import { requireOpa } from '../support/with-opa';
import {
  decides,
  decidesReversed,
  invalid,
  outage,
  scene,
  type Chapter,
  type Outcome,
  type Peer,
  type Row,
  type Scene,
} from './fault';
import { untilStopped } from './signals';

const CONTRARY = 'test/fixtures/policies/contrary.rego';
const REVERSED = 'test/fixtures/policies/reversed.rego';
const MISTAKES = 'test/fixtures/policies/mistakes.rego';
const AUTHZ = 'test/fixtures/policies/authz.rego';
/** The token that authz.rego accepts. */
const TOKEN = 'a-secret-token';

interface OpaPeer extends Peer {
  opa: OpaServer;
  /** Stops OPA and starts it on the same port with another policy. */
  restart(policy: string): Promise<void>;
}

async function startOpaPeer(
  options: Omit<OpaServerOptions, 'binary'>,
  source: object = {},
): Promise<OpaPeer> {
  const opa = await startOpa({ binary: requireOpa(), ...options });
  const peer: OpaPeer = {
    opa,
    source: { baseUrl: opa.url, ...source },
    stop: () => peer.opa.stop(),
    restart: async policy => {
      await peer.opa.stop();
      peer.opa = await startOpa({
        binary: requireOpa(),
        port: opa.port,
        policies: [policy],
      });
    },
  };
  return peer;
}

const opaScene = <P extends Peer>(
  start: () => Promise<P>,
  rows: ReadonlyArray<Row<P>>,
): Scene => scene(start, rows, true);

async function kill({ opa }: OpaPeer): Promise<void> {
  opa.kill('SIGKILL');
  await opa.stop();
}

async function freeze({ opa }: OpaPeer): Promise<void> {
  opa.kill('SIGSTOP');
  await untilStopped(opa.pid);
}

interface BundlePeer extends Peer {
  /** Delivers the bundle and waits until it is active. */
  deliver(): Promise<void>;
}

/** An OPA that waits for its first bundle until `deliver` sends it. */
async function startBundlePeer(): Promise<BundlePeer> {
  const waiting: ServerResponse[] = [];
  const server = createServer((_request, response) => void waiting.push(response));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const opa = await startOpa({
    binary: requireOpa(),
    args: [
      ...['--set', `services.bundles.url=http://127.0.0.1:${port}`],
      ...['--set', 'services.bundles.response_header_timeout_seconds=600'],
      ...['--set', 'bundles.policy.service=bundles'],
      ...['--set', 'bundles.policy.resource=bundle.tar.gz'],
      // It does not ask for another bundle before the test is over.
      ...['--set', 'bundles.policy.polling.min_delay_seconds=300'],
      ...['--set', 'bundles.policy.polling.max_delay_seconds=600'],
    ],
  });
  return {
    source: { baseUrl: opa.url },
    deliver: async () => {
      const bundle = await buildBundle(CONTRARY);
      for (const response of waiting) response.end(bundle);
      await untilBundlesAreActive(opa.url);
    },
    stop: async () => {
      await opa.stop();
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

async function buildBundle(policy: string): Promise<Buffer> {
  const folder = await temporaryFolder();
  const file = join(folder, 'bundle.tar.gz');
  try {
    await promisify(execFile)(requireOpa(), ['build', '-o', file, policy]);
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const untilBundlesAreActive = (url: string): Promise<void> =>
  until(async () => (await fetch(`${url}/health?bundles`)).ok, 'the bundle was active');

/** A policy with a mistake that its author sees in the log. */
const mistake = (name: string, entrypoint: string, outcome: Outcome): Scene =>
  opaScene(
    () =>
      startOpaPeer({ policies: [MISTAKES] }, { entrypoint: `mistakes/${entrypoint}` }),
    [{ name, outcome }],
  );

const guarded = (name: string, source: object, outcome: Outcome): Scene =>
  opaScene(
    () =>
      startOpaPeer(
        {
          policies: [CONTRARY, AUTHZ],
          args: ['--authentication', 'token', '--authorization', 'basic'],
        },
        source,
      ),
    [{ name, outcome }],
  );

export const realOpa: Chapter = {
  title: 'is a real OPA server',
  scenes: [
    opaScene(
      () => startOpaPeer({ policies: [REVERSED] }),
      [
        { name: 'decides by the policy it was started with', outcome: decidesReversed },
        { name: 'is killed (SIGKILL)', before: kill, outcome: outage('ECONNREFUSED') },
        {
          name: 'is restarted with another policy',
          before: peer => peer.restart(CONTRARY),
          outcome: decides,
        },
        { name: 'is frozen (SIGSTOP)', before: freeze, outcome: outage('TIMEOUT') },
        {
          name: 'resumes (SIGCONT)',
          before: ({ opa }) => opa.kill('SIGCONT'),
          outcome: decides,
        },
      ],
    ),
    opaScene(startBundlePeer, [
      { name: 'has no bundle yet', outcome: invalid('UNDEFINED_DECISION') },
      {
        name: 'has received its bundle',
        before: peer => peer.deliver(),
        outcome: decides,
      },
    ]),
    guarded('requires a token and gets it', { auth: { token: TOKEN } }, decides),
    guarded('requires a token and gets none', {}, invalid('HTTP_401')),
    guarded(
      'requires a token and gets a wrong one',
      { auth: { token: 'another-token' } },
      invalid('HTTP_401'),
    ),
    opaScene(
      () =>
        startOpaPeer({
          policies: [CONTRARY],
          args: [
            ...['--tls-cert-file', 'test/fixtures/tls/server.pem'],
            ...['--tls-private-key-file', 'test/fixtures/tls/server.key'],
            // The health endpoint stays on plain HTTP, so that the test can see when OPA is ready.
            ...['--diagnostic-addr', '127.0.0.1:0'],
          ],
        }),
      [
        {
          name: 'speaks TLS where plain HTTP is expected',
          outcome: invalid('HTTP_400'),
        },
      ],
    ),
    mistake(
      'has a policy whose rules contradict each other',
      'conflict',
      invalid('HTTP_500'),
    ),
    mistake(
      'does not have the policy that the entrypoint names',
      'no_such_rule',
      invalid('UNDEFINED_DECISION'),
    ),
    mistake('answers a bare boolean', 'bare_boolean', invalid('BAD_DECISION')),
  ],
};
