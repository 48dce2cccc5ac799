import type { Stage } from '../stage';
import { batchStages } from './batches';
import { conditionStages } from './conditions';
import { groupStages } from './groups';
import { refusedTableStages } from './refused-tables';
import { sourceStages } from './sources';
import { tableStages } from './tables';

export const STAGES: readonly Stage[] = [
  ...tableStages,
  ...refusedTableStages,
  ...sourceStages,
  ...conditionStages,
  ...groupStages,
  ...batchStages,
];
