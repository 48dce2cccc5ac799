import { buildConnector } from 'undici';
import { lookup } from '../../lib/lookup';
import { MOST_LOST, OwnDelay } from '../own-delay';
import { JudgedFailure, transportFailure, type Peer } from './transport-failure';

/** undici's options, with a timeout in milliseconds. */
export type ConnectOptions = buildConnector.BuildOptions & { readonly timeout: number };

/**
 * Connects as undici does, and says which failures this process has caused. The guard cannot: a
 * connection may begin before the question that fails with it, and undici's timer ends it before
 * what has arrived meanwhile is read.
 */
export function connector(
  peer: Peer,
  options: ConnectOptions,
): buildConnector.connector {
  const timeout = options.timeout * (1 + MOST_LOST);
  const connect = buildConnector({ lookup, ...options, timeout });
  return (target, callback) => {
    const delay = new OwnDelay(options.timeout);
    connect(target, (...result) => {
      const [error] = result;
      if (error === null) return callback(...result);
      const failure = transportFailure(error, peer);
      const judged = delay.judge(failure);
      return callback(judged === failure ? error : new JudgedFailure(judged), null);
    });
  };
}
