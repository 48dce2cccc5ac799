import { resolve } from 'node:path';
import { text } from '../../lib/fields';
import { askedOnce } from '../asked-once';
import { localKind } from '../kind';
import { entrypoint } from '../rego/entrypoint';
import { OpaWasmSource } from './source';

/** A Rego policy compiled to WebAssembly, evaluated in this process. */
export const opaWasm = localKind({
  type: 'opa-wasm',
  settings: {
    bundle: text("the path of a bundle.tar.gz built by 'opa build -t wasm'"),
    entrypoint,
  },
  build: async ({ bundle, entrypoint: path }, { name, logger }) => {
    const options = { bundle: resolve(bundle), entrypoint: path };
    const source = await OpaWasmSource.load(options, name, logger);
    return askedOnce(source, permission => JSON.stringify(permission));
  },
});
