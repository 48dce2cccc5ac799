import { remoteKind } from '../kind';
import { HostedSource } from './source';

/** A policy that another module provides under the name of the source. */
export const hosted = remoteKind({
  type: 'hosted',
  settings: {},
  needsUser: true,
  // No limit in practice, only a cap on calls that never settle. A policy may ask Backstage a
  // question that is decided by the same policy; behind a limit, all slots would wait for
  // questions that wait for a slot. One request of 100 kB to the host can hold some 1,500
  // questions, and none is shared.
  defaults: { timeout: '1s', concurrency: 2000, queue: 2000 },
  build: (_options, { name, policies, logger }) =>
    new HostedSource(name, policies.get(name), logger),
});
