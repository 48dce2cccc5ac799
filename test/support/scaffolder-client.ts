import { authorize, type Question } from './backend';
import { until } from './until';

const TEMPLATE = 'template:default/new-service';
const PARAMETERS = '/v2/templates/default/template/new-service/parameter-schema';

export interface Answered<Body> {
  readonly status: number;
  readonly body: Body;
}

interface Task {
  readonly id: string;
  readonly status: string;
  readonly spec: { readonly steps: ReadonlyArray<{ readonly id: string }> };
}

interface TaskEvent {
  readonly type: string;
  readonly body: {
    readonly stepId?: string;
    readonly status?: string;
    readonly error?: { readonly message: string };
  };
}

/** A finished task. */
export interface Run {
  readonly id: string;
  readonly status: string;
  /** All its steps. */
  readonly steps: readonly string[];
  /** The steps that completed. */
  readonly finished: readonly string[];
  readonly error: string | undefined;
}

export const readTask = (resourceRef: string): Question => ({
  permission: {
    type: 'resource',
    name: 'scaffolder.task.read',
    attributes: { action: 'read' },
    resourceType: 'scaffolder-task',
  },
  resourceRef,
});

/** The scaffolder's HTTP API as one caller sees it. */
export class ScaffolderClient {
  constructor(
    private readonly url: string,
    readonly token: string,
  ) {}

  async call<Body>(path: string, post?: object): Promise<Answered<Body>> {
    const response = await fetch(`${this.url}/api/scaffolder${path}`, {
      method: post ? 'POST' : 'GET',
      headers: {
        authorization: `Bearer ${this.token}`,
        'content-type': 'application/json',
      },
      ...(post ? { body: JSON.stringify(post) } : {}),
    });
    return { status: response.status, body: (await response.json()) as Body };
  }

  async status(path: string, post?: object): Promise<number> {
    return (await this.call(path, post)).status;
  }

  cancel(id: string): Promise<number> {
    return this.status(`/v2/tasks/${id}/cancel`, {});
  }

  async templateIsIngested(): Promise<void> {
    await until(
      async () => (await this.status(PARAMETERS)) === 200,
      'the template was ingested',
    );
  }

  /** The titles of the template's pages of parameters. */
  async pages(): Promise<string[]> {
    const { status, body } = await this.call<{ steps: Array<{ title: string }> }>(
      PARAMETERS,
    );
    if (status !== 200) throw new Error(`the template returned HTTP ${status}`);
    return body.steps.map(({ title }) => title);
  }

  create(values: object): Promise<Answered<{ id: string }>> {
    return this.call('/v2/tasks', { templateRef: TEMPLATE, values });
  }

  /** Creates a task from the template and waits until it is finished. */
  async run(values: object): Promise<Run> {
    const { id } = (await this.create(values)).body;
    const path = `/v2/tasks/${id}`;
    let task!: Task;
    await until(async () => {
      task = (await this.call<Task>(path)).body;
      return task.status === 'completed' || task.status === 'failed';
    }, 'the task came to its end');
    const events = (await this.call<TaskEvent[]>(`${path}/events`)).body;
    const done = events.filter(({ body }) => body.status === 'completed');
    const end = events.find(({ type }) => type === 'completion');
    return {
      id,
      status: task.status,
      steps: task.spec.steps.map(step => step.id),
      finished: done.flatMap(({ body }) => body.stepId ?? []),
      error: end?.body.error?.message,
    };
  }

  /** The ids of the tasks in the list. */
  async tasks(): Promise<string[]> {
    const { body } = await this.call<{ tasks: Task[] }>('/v2/tasks');
    return body.tasks.map(({ id }) => id);
  }

  /** The tasks that the caller may read: by the list, one by one, and by `/authorize`. */
  async readable(ids: readonly string[]): Promise<Record<string, string[]>> {
    const listed = await this.tasks();
    const statuses = await Promise.all(ids.map(id => this.status(`/v2/tasks/${id}`)));
    const { results } = await authorize(this.url, this.token, ids.map(readTask));
    const odd = statuses.find(status => status !== 200 && status !== 403);
    if (odd !== undefined) throw new Error(`a task returned HTTP ${odd}`);
    return {
      list: ids.filter(id => listed.includes(id)),
      single: ids.filter((_, index) => statuses[index] === 200),
      authorize: ids.filter((_, index) => results[index] === 'ALLOW'),
    };
  }
}
