/** `npm run bench:growth [-- --quick] [--only <stage>] [--write]`: what each stage costs as things grow. */
import { runCompiled } from '../compiled';

runCompiled('policy-router-growth', 'test/bench/growth/main');
