/** OPAs are replaced behind a forwarder of connections, as a service of Kubernetes is one. */
import { EventEmitter, once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { permission } from '../fixtures/builders';
import { temporaryFolder } from '../support/backend';
import { USER } from '../support/in-process';
import { startOpa, type OpaServer } from '../support/opa-server';
import { startRouter, type TestRouter } from '../support/router';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const ASKERS = 8;
const SWITCHES = 30;
/** Answers between two switches. */
const BETWEEN = 50;

const POLICY = `package which

import rego.v1

decision := {"result": "ALLOW"}
`;

interface Forwarder {
  readonly url: string;
  /** New connections go to this port; those that have brought an answer are destroyed. */
  switchTo(port: number): number;
  stop(): Promise<void>;
}

async function startForwarder(first: number): Promise<Forwarder> {
  let target = first;
  const pairs = new Map<Socket, { readonly there: Socket; hasAnswered: boolean }>();
  const server = createServer(here => {
    const there = connect(target, '127.0.0.1');
    const pair = { there, hasAnswered: false };
    pairs.set(here, pair);
    here.pipe(there).pipe(here);
    there.on('data', () => (pair.hasAnswered = true));
    for (const socket of [here, there]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        here.destroy();
        there.destroy();
        pairs.delete(here);
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    switchTo(port) {
      target = port;
      const old = [...pairs].filter(([, { hasAnswered }]) => hasAnswered);
      for (const [here] of old) here.destroy();
      return old.length;
    },
    async stop() {
      for (const here of pairs.keys()) here.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}

describeWithOpa('a roll-out of OPA behind a forwarder', () => {
  let folder: string;
  let opas: OpaServer[];
  let forwarder: Forwarder;
  let router: TestRouter | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const policy = join(folder, 'which.rego');
    await writeFile(policy, POLICY);
    const options = { binary: requireOpa(), policies: [policy] };
    opas = await Promise.all([startOpa(options), startOpa(options)]);
    forwarder = await startForwarder(opas[0]!.port);
  });
  afterAll(async () => {
    router?.close();
    await forwarder?.stop();
    await Promise.all((opas ?? []).map(opa => opa.stop()));
    await rm(folder, { recursive: true });
  });

  it('denies nothing', async () => {
    router = await startRouter({
      fallback: 'deny',
      deadline: '60s',
      sources: {
        opa: {
          type: 'opa',
          baseUrl: forwarder.url,
          entrypoint: 'which/decision',
          timeout: '30s',
          concurrency: ASKERS,
        },
      },
      routes: [{ prefix: '', sources: ['opa'] }],
    });
    const events = new EventEmitter();
    const results: Record<string, number> = {};
    let answers = 0;
    let isOver = false;
    const ask = async (asker: number): Promise<void> => {
      while (!isOver) {
        // A name of its own, so that no two share an answer.
        const asked = permission(`tested.a${asker}`);
        const { result } = await router!.decide({ permission: asked }, USER);
        const { failure } = router!.record?.sources[0] ?? {};
        const what = result === 'ALLOW' ? result : `${result} ${failure?.code}`;
        results[what] = (results[what] ?? 0) + 1;
        answers++;
        events.emit('answer');
      }
    };
    const asking = Array.from({ length: ASKERS }, (_, index) => ask(index));
    let destroyed = 0;
    for (let round = 1; round <= SWITCHES; round++) {
      const enough = answers + BETWEEN;
      while (answers < enough) await once(events, 'answer');
      destroyed += forwarder.switchTo(opas[round % 2]!.port);
    }
    isOver = true;
    await Promise.all(asking);
    expect(results).toEqual({ ALLOW: answers });
    expect(destroyed).toBeGreaterThan(SWITCHES);
  });
});
