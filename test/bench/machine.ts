import { availableParallelism, cpus } from 'node:os';
import type { Machine } from './page';

export const thisMachine = (): Machine => ({
  node: process.version,
  cores: availableParallelism(),
  processor: cpus()[0]?.model ?? 'unknown',
  date: new Date().toISOString().slice(0, 10),
});
