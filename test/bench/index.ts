/** `npm run bench [-- --quick]`: what a decision costs. */
import { runCompiled } from './compiled';

runCompiled('policy-router-bench', 'test/bench/main');
