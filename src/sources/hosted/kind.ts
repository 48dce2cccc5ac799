import { remoteKind } from '../kind';
import { HostedSource } from './source';

/** A policy that another module provides under the name of the source. */
export const hosted = remoteKind({
  type: 'hosted',
  settings: {},
  // One request of 100 kB to the host can hold some 1,500 questions, and none is shared.
  defaults: { timeout: '1s', queue: 2000 },
  build: (_options, { name, policies, logger }) =>
    new HostedSource(name, policies.get(name), logger),
});
