import type { LocalKind } from '../../src/sources/kind';
import { kindOf } from '../../src/sources/kinds';
import type { LocalSource } from '../../src/sources/source';

/** A source of type `conditions`, made of its config as the router makes it. */
export function conditionsSource(config: object): LocalSource {
  const kind = kindOf('conditions') as LocalKind;
  const options = kind.schema.parse({ type: 'conditions', ...config });
  return kind.build(options as never, {} as never) as LocalSource;
}
