import { answerTasks } from '../lib/worker-task';
import { routingYamlToJson } from './routing-yaml';

answerTasks(routingYamlToJson);
