import { absent } from './absent';
import { bodies } from './bodies';
import { conditionFaults } from './conditions';
import { ambiguous } from './ambiguous';
import type { Chapter } from './fault';
import { framing } from './framing';
import { hangs } from './hangs';
import { losses } from './losses';
import { realOpa } from './real-opa';
import { router } from './router';
import { statuses } from './statuses';
import { tlsFaults } from './tls';

/** Every tested fault, in the order of docs/fault-table.md. */
export const CHAPTERS: readonly Chapter[] = [
  realOpa,
  absent,
  hangs,
  losses,
  tlsFaults,
  statuses,
  bodies,
  ambiguous,
  framing,
  conditionFaults,
  router,
];
