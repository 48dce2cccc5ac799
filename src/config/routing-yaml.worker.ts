import { answerTask } from '../lib/worker-task';
import { routingYamlToJson } from './routing-yaml';

void answerTask(routingYamlToJson);
