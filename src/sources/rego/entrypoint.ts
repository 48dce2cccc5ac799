import { text } from '../../lib/fields';

/** The path of a decision; it becomes part of a URL, so it has no `..`, `?` or `#`. */
export const entrypoint = text(
  "the path of a decision, such as 'backstage_policy/decision'",
).regex(/^(?!\.{1,2}(\/|$))[^/\s?#%]+(\/(?!\.{1,2}(\/|$))[^/\s?#%]+)*$/, {
  error: "must be segments joined by '/', such as 'backstage_policy/decision'",
});
