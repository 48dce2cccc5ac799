import { allow, deny } from '../../verdict';
import type { LocalSource } from '../source';

const constant = (answer: ReturnType<LocalSource['ask']>): LocalSource => ({
  ask: () => answer,
  close: async () => {},
});

/** The built-in source `allow`: ALLOW, whatever is asked. */
export const allowSource = (): LocalSource => constant(allow("the source 'allow'"));

/** The built-in source `deny`: DENY, whatever is asked. */
export const denySource = (): LocalSource => constant(deny("the source 'deny'"));
