import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { startStub, type Behaviour, type StubServer } from './stub-server';

export interface WatchedStub extends StubServer {
  /** The names of the permissions asked for, in order of arrival. */
  readonly names: string[];
  /** Waits until there are this many of them. */
  arrived(count: number): Promise<void>;
  /** The most connections open at once since `forget`. */
  readonly mostOpen: () => number;
  /** The most unanswered questions at once since `forget`. */
  readonly mostUnderWay: () => number;
  forget(): void;
}

/** A stub that records what arrives and when its behaviour has answered. */
export async function startWatchedStub(initial: Behaviour): Promise<WatchedStub> {
  const names: string[] = [];
  const events = new EventEmitter().setMaxListeners(0);
  const open = new Set<Socket>();
  let mostOpen = 0;
  const count = (): void => {
    mostOpen = Math.max(mostOpen, open.size);
  };
  let underWay = 0;
  let mostUnderWay = 0;
  const watched =
    (behaviour: Behaviour): Behaviour =>
    (socket, request) => {
      names.push(nameIn(request));
      events.emit('arrival');
      mostUnderWay = Math.max(mostUnderWay, ++underWay);
      let over = false;
      const end = (): void => {
        if (!over) underWay--;
        over = true;
      };
      socket.once('close', end);
      const write = socket.write.bind(socket);
      socket.write = ((...sent: Parameters<typeof write>) => {
        end();
        socket.off('close', end);
        socket.write = write;
        return write(...sent);
      }) as typeof write;
      behaviour(socket, request);
    };
  const stub = await startStub(watched(initial), {
    connected: socket => {
      open.add(socket);
      const end = (): unknown => open.delete(socket);
      socket.once('end', end).once('close', end);
      // If a client closes one connection and opens another, the events arrive in any order:
      // after two turns of the loop both are known.
      setImmediate(() => setImmediate(count));
    },
  });
  return {
    ...stub,
    names,
    arrived: async count => {
      while (names.length < count) await once(events, 'arrival');
    },
    mostOpen: () => mostOpen,
    mostUnderWay: () => mostUnderWay,
    become: next => stub.become(watched(next)),
    forget: () => {
      names.length = 0;
      mostOpen = open.size;
      mostUnderWay = underWay;
    },
  };
}

function nameIn(request: string): string {
  const body = request.slice(request.indexOf('\r\n\r\n'));
  return (JSON.parse(body) as { input: { permission: { name: string } } }).input
    .permission.name;
}
