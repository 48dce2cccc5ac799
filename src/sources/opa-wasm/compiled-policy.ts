import { setImmediate as nextTurn } from 'node:timers/promises';
import { loadPolicySync, type LoadedPolicy } from '@open-policy-agent/opa-wasm';
import { errorName } from '../../lib/foreign-error';
import { quote } from '../../lib/quote';
import type { WasmBundle } from './bundle';
import { encodeJson } from './json-text';

/** The unit in which Wasm memory grows, in bytes. */
export const PAGE = 64 * 1024;
/** The Wasm memory that policy and data may use, in bytes; JSON needs eight times its size. */
export const MAX_POLICY_MEMORY = 256 * 1024 * 1024;
/** The Wasm memory that one evaluation may use beyond that, in bytes. */
export const MAX_EVALUATION_MEMORY = 64 * 1024 * 1024;
/** How much memory is copied at once, in bytes; takes about a millisecond. */
const SLICE = 1024 * 1024;
/** At most so many entrypoints are named in a message. */
const NAMED = 10;

/** TypeScript declares WebAssembly for browsers only. */
interface WebAssemblyGlobal {
  compile(bytes: Uint8Array): Promise<WasmModule>;
  readonly Module: { exports(module: WasmModule): ReadonlyArray<{ name: string }> };
}
type WasmModule = object;
const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyGlobal };

/** What every evaluation calls or reads. */
const EXPORTS = [
  'opa_wasm_abi_version',
  'opa_wasm_abi_minor_version',
  'opa_malloc',
  'opa_json_parse',
  'opa_json_dump',
  'opa_heap_ptr_get',
  'opa_heap_ptr_set',
  'opa_eval',
  'builtins',
  'entrypoints',
];

/** What instances are made from. A thread can post it to another. */
export interface PolicyImage {
  readonly module: WasmModule;
  /** The part of the first instance's memory that is in use after its data was loaded. */
  readonly memory: Uint8Array<ArrayBuffer>;
  /** The memory of a fresh instance, in bytes. */
  readonly memoryBytes: number;
  readonly dataAddr: number;
  readonly dataHeapPtr: number;
}

/**
 * A policy compiled once, from which any number of instances can be made. Their memory is a
 * copy of the first one's, taken after the data was loaded, so that it is not parsed again.
 */
export class CompiledPolicy {
  constructor(readonly image: PolicyImage) {}

  /**
   * Takes seconds for much data, so it is called in a worker.
   *
   * @throws Error that says what is wrong with the bundle.
   */
  static async compile(
    { wasm, data }: WasmBundle,
    entrypoint: string,
  ): Promise<CompiledPolicy> {
    const module = await compileModule(wasm);
    const first = firstInstance(module, wasm.byteLength);
    requireEntrypoint(first, entrypoint);
    try {
      first.setData(encodeJson(data));
    } catch {
      throw new Error(
        `its data.json cannot be loaded; policy and data together may use at most ${MAX_POLICY_MEMORY} bytes of Wasm memory`,
      );
    }
    const { buffer } = memoryOf(first);
    const dataHeapPtr = first.dataHeapPtr as number;
    return new CompiledPolicy({
      module,
      memory: new Uint8Array(buffer).slice(0, dataHeapPtr),
      memoryBytes: buffer.byteLength,
      dataAddr: first.dataAddr,
      dataHeapPtr,
    });
  }

  /** The memory of a fresh instance, in bytes. */
  get memoryBytes(): number {
    return this.image.memoryBytes;
  }

  /** @throws the engine's error when there is no memory for another instance. */
  instantiate(): LoadedPolicy {
    const policy = this.emptyInstance();
    new Uint8Array(memoryOf(policy).buffer).set(this.image.memory);
    return policy;
  }

  /** As `instantiate`, but other work gets its turn while the memory is copied. */
  async instantiateGently(): Promise<LoadedPolicy> {
    const policy = this.emptyInstance();
    const memory = new Uint8Array(memoryOf(policy).buffer);
    const { memory: source } = this.image;
    for (let start = 0; start < source.length; start += SLICE) {
      memory.set(source.subarray(start, start + SLICE), start);
      await nextTurn();
    }
    return policy;
  }

  private emptyInstance(): LoadedPolicy {
    const { module, memoryBytes, dataAddr, dataHeapPtr } = this.image;
    const policy = loadPolicySync(module, {
      initial: memoryBytes / PAGE,
      maximum: (memoryBytes + MAX_EVALUATION_MEMORY) / PAGE,
    });
    policy.dataAddr = dataAddr;
    policy.dataHeapPtr = dataHeapPtr;
    return policy;
  }
}

/** The evaluator declares it with a type that TypeScript has for browsers only. */
export const memoryOf = (policy: LoadedPolicy): WasmMemory => policy.mem as WasmMemory;

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  /** @throws RangeError if that is more than its maximum. */
  grow(pages: number): void;
}

async function compileModule(wasm: Buffer): Promise<WasmModule> {
  let module: WasmModule;
  try {
    module = await WebAssembly.compile(wasm);
  } catch {
    throw new Error('its policy.wasm is not WebAssembly');
  }
  const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const missing = EXPORTS.find(name => !exported.has(name));
  if (missing !== undefined)
    throw new Error(`its policy.wasm was not built by OPA: it has no ${missing}`);
  return module;
}

/** A policy's constants are part of its Wasm, so the first memory must hold at least that. */
function firstInstance(module: WasmModule, wasmBytes: number): LoadedPolicy {
  try {
    return loadPolicySync(module, {
      initial: 5 + Math.ceil(wasmBytes / PAGE),
      maximum: MAX_POLICY_MEMORY / PAGE,
    });
  } catch (error) {
    const [, version] = /^unsupported ABI version (\d{1,9})$/.exec(String(error)) ?? [];
    throw new Error(
      version === undefined
        ? `its policy.wasm cannot be started (${errorName(error) ?? typeof error})`
        : `its policy.wasm has ABI version ${version}, but only version 1 is supported; build it with another version of OPA`,
    );
  }
}

function requireEntrypoint({ entrypoints }: LoadedPolicy, wanted: string): void {
  const names = Object.keys(entrypoints as object);
  if (names.includes(wanted)) return;
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  throw new Error(
    `it has no entrypoint ${quote(wanted)}; its entrypoints: ` +
      `${names.slice(0, NAMED).map(quote).join(', ')}${more}`,
  );
}
