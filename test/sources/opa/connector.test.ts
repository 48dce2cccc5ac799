/** What a failure to connect is called when this process was busy meanwhile. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connector } from '../../../src/sources/opa/connector';
import { JudgedFailure } from '../../../src/sources/opa/transport-failure';
import { measureLoop, takeLoopForIdle } from '../../support/idle-loop';

const TIMEOUT = 200;

/** Accepts connections, and never begins TLS. */
let server: Server;
const sockets = new Set<Socket>();

beforeEach(async () => {
  server = createServer(socket => {
    sockets.add(socket.on('error', () => {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  measureLoop();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server.close();
});

/** Begins to connect at once. */
function connect(secure: boolean, port: number): Promise<Error | null> {
  const start = connector(
    { secure, address: `127.0.0.1:${port}` },
    { timeout: TIMEOUT },
  );
  const protocol = secure ? 'https:' : 'http:';
  return new Promise(resolve => {
    start({ hostname: '127.0.0.1', protocol, port: String(port) }, (error, socket) => {
      if (socket) sockets.add(socket);
      resolve(error);
    });
  });
}

const port = (): number => (server.address() as AddressInfo).port;

/** Holds the event loop for as long as a connection may take. */
function hold(): void {
  const end = performance.now() + TIMEOUT;
  while (performance.now() < end);
}

it('a connection that is made is handed over', async () => {
  expect(await connect(false, port())).toBeNull();
});

it('a peer that does not answer in time is an outage', async () => {
  takeLoopForIdle();
  expect(await connect(true, port())).toMatchObject({
    name: 'ConnectTimeoutError',
    code: 'UND_ERR_CONNECT_TIMEOUT',
  });
});

it('a refused connection is an outage', async () => {
  takeLoopForIdle();
  const closed = port();
  server.close();
  await once(server, 'close');
  expect(await connect(false, closed)).toMatchObject({ code: 'ECONNREFUSED' });
});

it('a connection that ends while this process is busy is not, whoever asks by then', async () => {
  const error = connect(true, port());
  hold();
  const judged = await error;
  expect(judged).toBeInstanceOf(JudgedFailure);
  expect((judged as JudgedFailure).judged.failure).toMatchObject({
    class: 'overloaded',
    code: 'STALLED',
  });
});
