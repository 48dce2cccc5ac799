/**
 * Tells whether a failure may be that of a kept connection and not of OPA. A server, or what is
 * between, may end a connection just when a question is sent on it: at a roll-out, or because it
 * was idle for too long. Then no byte of an answer comes, and OPA may be up.
 */
import type { Socket } from 'node:net';
import { Client, type buildConnector, type Dispatcher } from 'undici';

/** Asked once the question has failed: whether a fresh connection may have the answer. */
export type LostOnKeptConnection = () => boolean;

/** A question for a pool of `KeptClient`s. */
export interface KeptDispatch extends Dispatcher.DispatchOptions {
  /** Called with the connection that will carry it; the last call counts. */
  readonly takenBy: (connection: KeptConnection) => void;
}

/** The connection of one client, which carries one question after the other. */
export class KeptConnection {
  private socket: Socket | undefined;
  private hasCarried = false;

  /** Connects as `connect` does. */
  connector(connect: buildConnector.connector): buildConnector.connector {
    return (target, callback) =>
      connect(target, (...result) => {
        const [, socket] = result;
        if (socket) {
          this.socket = socket;
          this.hasCarried = false;
        }
        callback(...result);
      });
  }

  /** Called when a question is about to be written to it. */
  begin(): LostOnKeptConnection {
    const { socket, hasCarried } = this;
    this.hasCarried = true;
    const before = socket?.bytesRead;
    return () => hasCarried && socket?.bytesRead === before;
  }
}

/** undici's client, which says to each question which connection carries it. */
export class KeptClient extends Client {
  private readonly connection: KeptConnection;

  constructor(origin: URL, options: Client.Options, connect: buildConnector.connector) {
    const connection = new KeptConnection();
    super(origin, { ...options, connect: connection.connector(connect) });
    this.connection = connection;
  }

  override dispatch(
    options: Dispatcher.DispatchOptions | KeptDispatch,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    if ('takenBy' in options) options.takenBy(this.connection);
    return super.dispatch(options, handler);
  }
}
