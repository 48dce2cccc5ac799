/** Peers that cannot be connected to. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '../support/backend';
import { silence } from '../support/stub-server';
import { outage, scene, type Chapter, type Peer } from './fault';
import { startStubPeer, type StubPeer } from './stub-peer';
import { untilStopped } from './signals';

const nothing = (baseUrl: string): Peer => ({
  source: { baseUrl },
  stop: async () => {},
});

/** The port of a client: nothing listens on it, and no other process can take it. */
async function closedPort(): Promise<Peer> {
  const stub = await startStubPeer(silence);
  const client = connectTo(stub.url);
  await once(client, 'connect');
  return {
    source: { baseUrl: `http://127.0.0.1:${client.localPort}` },
    stop: async () => {
      client.destroy();
      await stub.stop();
    },
  };
}

async function missingSocket(): Promise<Peer> {
  const folder = await temporaryFolder();
  await rm(folder, { recursive: true });
  return nothing(`unix:${join(folder, 'opa.sock')}`);
}

/** What a killed server leaves behind: the file of a socket that nothing listens on. */
async function deadSocket(): Promise<Peer> {
  const folder = await temporaryFolder();
  const path = join(folder, 'opa.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return {
    source: { baseUrl: `unix:${path}` },
    stop: () => rm(folder, { recursive: true }),
  };
}

/** A server that accepts one connection, which is already taken. */
async function taken(): Promise<StubPeer> {
  const stub = await startStubPeer(silence, {
    create: accept => {
      const server = createServer(accept);
      server.maxConnections = 1;
      return server;
    },
  });
  connectTo(stub.url);
  await stub.untilOpen(1);
  return stub;
}

/**
 * A process that listens but accepts no connection. With a backlog of one the kernel keeps two
 * connections for it and makes all others wait.
 */
async function fullBacklog(): Promise<Peer> {
  const script = `const server = require('net').createServer();
    server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port))`;
  const child = spawn(process.execPath, ['-e', script]);
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGSTOP');
  await untilStopped(child.pid!);
  const baseUrl = `http://127.0.0.1:${port.toString().trim()}`;
  const kept = [connectTo(baseUrl), connectTo(baseUrl)];
  await Promise.all(kept.map(socket => once(socket, 'connect')));
  return {
    source: { baseUrl },
    stop: async () => {
      for (const socket of kept) socket.destroy();
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

function connectTo(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect(Number(port), hostname).on('error', () => {});
}

export const absent: Chapter = {
  title: 'cannot be reached',
  scenes: [
    scene(closedPort, [
      { name: 'has closed its port', outcome: outage('ECONNREFUSED') },
    ]),
    scene(missingSocket, [
      { name: 'has no unix socket yet', outcome: outage('ENOENT') },
    ]),
    scene(deadSocket, [
      {
        name: 'was killed and left its unix socket behind',
        outcome: outage('ECONNREFUSED'),
      },
    ]),
    scene(
      async () => nothing('http://opa.invalid:8181'),
      [
        {
          name: 'has a host name that DNS does not know',
          // Which of these codes it is, and how fast, depends on the resolver.
          outcome: outage('ENOTFOUND', 'EAI_AGAIN', 'TIMEOUT'),
        },
      ],
    ),
    scene(taken, [
      {
        name: 'closes every further connection',
        outcome: outage('ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'),
      },
    ]),
    scene(fullBacklog, [
      {
        name: 'accepts no connection, with its backlog full',
        outcome: outage('TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'),
      },
    ]),
  ],
};
