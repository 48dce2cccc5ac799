/** What the benchmark asks a backend in a process of its own, over IPC. */
export type Asked = 'cpu' | 'memory';

/** What that backend tells. */
export type Told =
  | { readonly is: 'listening'; readonly url: string }
  | { readonly is: 'failed'; readonly why: string }
  /** CPU time since its start. */
  | { readonly is: 'cpu'; readonly microseconds: number }
  /** Resident memory, after a garbage collection. */
  | { readonly is: 'memory'; readonly bytes: number };
