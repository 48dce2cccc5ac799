import { PublishedRules } from '../../src/conditions/published-rules';
import { RuleDirectory } from '../../src/conditions/rule-directory';
import type { RuleMetadata } from '../../src/conditions/rule-metadata';
import { CapturedLogs } from './captured-logs';

export const published = (...rules: object[]): RuleMetadata => ({
  kind: 'published',
  rules: new PublishedRules({ rules }),
});

export const none: RuleMetadata = { kind: 'none', why: 'HTTP 404' };
export const unread: RuleMetadata = { kind: 'unread', why: 'HTTP 503' };

/** A directory with the same metadata for every plugin. */
export const directoryOf = (metadata: RuleMetadata = unread): RuleDirectory =>
  new RuleDirectory(() => Promise.resolve(metadata), new CapturedLogs().logger());
