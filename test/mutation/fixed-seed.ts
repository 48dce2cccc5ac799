import fc from 'fast-check';

// The fate of a mutant must not hang on luck, and its first counterexample is enough.
fc.configureGlobal({ seed: 1, endOnFailure: true });
