/** `npm run bench`: what a decision costs. See docs/CONTRIBUTING.md for its options. */
import { runCompiled } from './compiled';

runCompiled('policy-router-bench', 'test/bench/main');
