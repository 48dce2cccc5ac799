import type { DecisionRecord } from './record';
export const sentenceOf = (record: Readonly<DecisionRecord>): string => `${record.result} by ${record.route}: ${record.reason}`;
export const generalSentence = (record: Readonly<DecisionRecord>): string => `${record.result} by ${record.route}`;
