/** What foreign code returns, or undefined if it throws: nothing of ours may depend on it. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
