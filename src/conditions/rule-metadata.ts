import type { PluginMetadata } from '../declared/plugin-metadata';
import { PublishedRules } from './published-rules';

/** What is known about a plugin's rules. */
export type RuleMetadata =
  | { readonly kind: 'published'; readonly rules: PublishedRules }
  /** There is no such plugin, or it publishes no rules, so nothing can apply its conditions. */
  | { readonly kind: 'none'; readonly why: string }
  /** Unknown, because the plugin could not be asked. */
  | { readonly kind: 'unread'; readonly why: string };

/** The rules in what a plugin publishes. */
export function rulesIn(metadata: PluginMetadata): RuleMetadata {
  if (metadata.kind === 'refused') return { kind: 'unread', why: metadata.why };
  if (metadata.kind !== 'published') return metadata;
  try {
    return { kind: 'published', rules: new PublishedRules(metadata.body) };
  } catch {
    return { kind: 'none', why: 'its answer is not permission metadata' };
  }
}
