import { text } from '../../lib/fields';

const PATH = /^(?!\.{1,2}(\/|$))[^/\s?#%]+(\/(?!\.{1,2}(\/|$))[^/\s?#%]+)*$/;

/** The path of a decision; it becomes part of a URL, so it has no `..`, `?` or `#`. */
export const entrypoint = text(
  "the path of a decision, such as 'backstage_policy/decision'",
).regex(PATH, {
  error: "must be segments joined by '/', such as 'backstage_policy/decision'",
});

export const isEntrypoint = (value: string): boolean => PATH.test(value);

/**
 * What was probably meant by an entrypoint that is written as in Rego (`data.a.b`) or as in the
 * path of the Data API (`v1/data/a/b`). It may still be right: a segment may have any name.
 */
export function likelyEntrypoint(value: string): string | undefined {
  const bare = value.replace(/^(v1\/)?data[/.](?=.)/, '');
  const likely = bare.includes('/') ? bare : bare.split('.').filter(Boolean).join('/');
  return likely !== value && isEntrypoint(likely) ? likely : undefined;
}
