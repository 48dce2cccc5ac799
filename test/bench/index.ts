/**
 * `npm run bench [-- --quick]`: what a decision costs.
 * `npm run bench -- --visibility`: what it costs that decisions are kept and audited.
 */
import { runCompiled } from './compiled';

runCompiled('policy-router-bench', 'test/bench/main');
