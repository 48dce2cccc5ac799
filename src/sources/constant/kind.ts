import { localKind } from '../kind';
import { allowSource, denySource } from './source';

/** Every table can name `allow`; it has no config. */
export const constantAllow = localKind({
  type: 'allow',
  settings: {},
  build: allowSource,
});

/** Every table can name `deny`; it has no config. */
export const constantDeny = localKind({
  type: 'deny',
  settings: {},
  build: denySource,
});
