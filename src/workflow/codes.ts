// The one closed table of codes: every `code` that an answer, a fault in a definition, a task or a run can carry.
// Codes are API and never change their meaning; the words beside them may. A test holds the table against the source and the OpenAPI document.

/**
 * Where a code stands: a `problem` is the whole answer and has an HTTP status; a `fault` is an entry of `errors` (or of
 * `warnings`) that points into a body; a `task` or `run` code is the `error.code` of what ended.
 */
export type CodeEntry =
  | { kind: 'problem'; status: number; meaning: string }
  | { kind: 'fault'; meaning: string }
  | { kind: 'warning'; meaning: string }
  | { kind: 'task'; retryable: boolean; meaning: string }
  | { kind: 'run'; meaning: string }

export const CODES = {
  // Answers.
  malformed_json: { kind: 'problem', status: 400, meaning: 'The body is not JSON.' },
  invalid_parameter: {
    kind: 'problem',
    status: 400,
    meaning: 'A query parameter or header has a value that it cannot have.',
  },
  bad_cursor: { kind: 'problem', status: 400, meaning: 'The cursor is not one that this service gave.' },
  invalid_idempotency_key: {
    kind: 'problem',
    status: 400,
    meaning: 'An Idempotency-Key has 1 to 255 visible ASCII characters, bare or quoted.',
  },
  unauthenticated: { kind: 'problem', status: 401, meaning: 'The call needs a key: Authorization: Bearer <key>.' },
  host_not_allowed: {
    kind: 'problem',
    status: 403,
    meaning: 'Without authentication only localhost is served, and no foreign Origin (DNS rebinding).',
  },
  not_found: { kind: 'problem', status: 404, meaning: 'There is nothing at this path.' },
  workflow_not_found: { kind: 'problem', status: 404, meaning: 'No workflow has this name.' },
  version_not_found: { kind: 'problem', status: 404, meaning: 'The workflow has no such version.' },
  run_not_found: { kind: 'problem', status: 404, meaning: 'There is no run with this id.' },
  event_not_found: { kind: 'problem', status: 404, meaning: 'The history of the run has no event with this number.' },
  bulk_not_found: { kind: 'problem', status: 404, meaning: 'There is no bulk job with this id, or no more.' },
  secret_not_found: { kind: 'problem', status: 404, meaning: 'There is no secret of this name.' },
  circuit_not_found: { kind: 'problem', status: 404, meaning: 'No circuit of this name has opened.' },
  task_not_found: { kind: 'problem', status: 404, meaning: 'The run has no task with this id.' },
  callback_not_found: { kind: 'problem', status: 404, meaning: 'No task has given this link.' },
  task_type_not_found: {
    kind: 'problem',
    status: 404,
    meaning: 'There is no such task type; those there are, are listed.',
  },
  task_not_a_map: { kind: 'problem', status: 404, meaning: 'The task has no items: it is no map.' },
  method_not_allowed: {
    kind: 'problem',
    status: 405,
    meaning: 'The path does not take this method; Allow lists those it takes.',
  },
  not_acceptable: { kind: 'problem', status: 406, meaning: 'None of the media types asked for can be given.' },
  run_finished: { kind: 'problem', status: 409, meaning: 'The run has ended already; `run` shows how.' },
  run_not_finished: { kind: 'problem', status: 409, meaning: 'The run goes on; `run` shows it so far.' },
  run_compensating: {
    kind: 'problem',
    status: 409,
    meaning: 'The run is undoing what it did, which nothing cuts short; `run` shows how far it is.',
  },
  run_not_paused: { kind: 'problem', status: 409, meaning: 'The run was never paused, so it cannot be resumed.' },
  nothing_to_retry: {
    kind: 'problem',
    status: 409,
    meaning: 'Every task of the run has succeeded; retry it from its start, or from tasks that you name.',
  },
  run_unreadable: {
    kind: 'problem',
    status: 409,
    meaning: 'The run was ended unread: nothing of it can be taken over.',
  },
  too_many_secrets: { kind: 'problem', status: 409, meaning: 'There are as many secrets as there may be.' },
  workflow_paused: { kind: 'problem', status: 409, meaning: 'The workflow is paused: it takes no new runs.' },
  run_deleted: {
    kind: 'problem',
    status: 410,
    meaning: 'The run that this Idempotency-Key started was deleted; another key starts another.',
  },
  callback_used: {
    kind: 'problem',
    status: 410,
    meaning: 'The link has been used, or what it was to answer waits no longer.',
  },
  version_conflict: { kind: 'problem', status: 412, meaning: 'The newest version is not the one that If-Match names.' },
  too_large: { kind: 'problem', status: 413, meaning: 'The body, or a part of it, is larger than allowed.' },
  unsupported_media_type: { kind: 'problem', status: 415, meaning: 'The body has to be application/json.' },
  invalid_request: { kind: 'problem', status: 422, meaning: 'The body has faults; `errors` lists them all.' },
  invalid_definition: { kind: 'problem', status: 422, meaning: 'The definition has faults; `errors` lists them all.' },
  invalid_input: {
    kind: 'problem',
    status: 422,
    meaning: 'The input does not fit the input_schema of the workflow; `errors` lists every fault.',
  },
  idempotency_key_reused: { kind: 'problem', status: 422, meaning: 'The key was used with another body.' },
  not_available: { kind: 'problem', status: 422, meaning: 'The contract has this, this release does not yet.' },
  task_type_not_tried: {
    kind: 'problem',
    status: 422,
    meaning:
      'A task of this type does nothing by itself: it waits, or starts others, so there is nothing to try without a run.',
  },
  unknown_signal: {
    kind: 'problem',
    status: 422,
    meaning: 'No task of the workflow waits for an event of this name; those there are, are listed.',
  },
  signal_too_costly: {
    kind: 'problem',
    status: 422,
    meaning:
      'The `match` of all tasks that wait for the event take more than 1,000,000 steps together, so the signal was not taken: nothing of it is kept. It may be sent again, with the same key, when fewer tasks wait, or to one task by its `callback_url`.',
  },
  signal_buffer_full: {
    kind: 'problem',
    status: 429,
    meaning: 'The run keeps 1,000 signals (16 MiB of large ones) that no task has taken, and no more.',
  },
  too_many_watchers: {
    kind: 'problem',
    status: 429,
    meaning: 'As many watch the run as may at once; a stream has to end before another begins.',
  },
  bulk_limit: { kind: 'problem', status: 429, meaning: 'Too many bulk jobs are under way; wait for one to end.' },
  internal_error: {
    kind: 'problem',
    status: 500,
    meaning: 'A bug of this service; the request id finds it in the logs.',
  },
  secrets_not_configured: {
    kind: 'problem',
    status: 503,
    meaning: 'Secrets cannot be kept: the deployment has no SECRETS_KEY, or one that is no key.',
  },
  auth_not_configured: {
    kind: 'problem',
    status: 503,
    meaning: 'The deployment has no ADMIN_KEY, so nobody can be let in.',
  },
  start_unconfirmed: {
    kind: 'problem',
    status: 503,
    meaning:
      'Whether the run was started is not known; ask for the run id that is named, or start again with the same Idempotency-Key.',
  },
  watchers_exhausted: {
    kind: 'problem',
    status: 503,
    meaning: 'The part of the service that keeps the run has as many watchers as it can bear, of whatever runs.',
  },
  unavailable: {
    kind: 'problem',
    status: 503,
    meaning: 'A part of the service did not answer in time; the call can be repeated.',
  },

  // Faults in a body, each with a JSON Pointer.
  required: { kind: 'fault', meaning: 'A field that must be there is missing.' },
  invalid_type: { kind: 'fault', meaning: 'A value has the wrong JSON type.' },
  invalid_value: { kind: 'fault', meaning: 'A value is not among those that are allowed here.' },
  invalid_format: { kind: 'fault', meaning: 'A string does not have the form that is needed here.' },
  out_of_bounds: { kind: 'fault', meaning: 'A number, span, length or count is outside its bounds.' },
  unknown_field: { kind: 'fault', meaning: 'The field does not exist here; the nearest known name is given.' },
  duplicate_task: { kind: 'fault', meaning: 'Two tasks have the same id.' },
  duplicate_dependency: { kind: 'fault', meaning: 'depends_on names a task twice.' },
  unknown_dependency: { kind: 'fault', meaning: 'depends_on names a task that does not exist.' },
  unknown_task: { kind: 'fault', meaning: 'A field names a task that does not exist.' },
  invalid_compensation: {
    kind: 'fault',
    meaning: 'A task that undoes another stands apart: it undoes one task, waits for none, and none waits for it.',
  },
  self_dependency: { kind: 'fault', meaning: 'A task depends on itself.' },
  cycle: { kind: 'fault', meaning: 'Tasks depend on each other in a circle; the path is given.' },
  unknown_task_type: { kind: 'fault', meaning: 'There is no such task type; those there are, are listed.' },
  missing_with: { kind: 'fault', meaning: 'The task says not what to do: it needs `with`.' },
  expression_syntax: { kind: 'fault', meaning: 'An expression cannot be parsed.' },
  unknown_name: { kind: 'fault', meaning: 'An expression names something that does not exist.' },
  secret_misplaced: {
    kind: 'fault',
    meaning: 'A secret stands alone in an expression of `with`, of a task that the executor performs.',
  },
  not_upstream: { kind: 'fault', meaning: 'An expression reads a task that does not surely run before.' },
  remote_reference: {
    kind: 'fault',
    meaning: 'A schema refers to another document; only references within it are followed.',
  },
  unknown_reference: { kind: 'fault', meaning: 'A schema refers to a place in it where no schema stands.' },
  endless_reference: { kind: 'fault', meaning: 'A schema leads back to itself without going into the value.' },
  task_differs: {
    kind: 'fault',
    meaning: 'Another version defines a task differently, so its output cannot be taken over.',
  },
  timeout_too_short: {
    kind: 'fault',
    meaning: 'The waits that the definition writes out take longer than its timeout; one that would do is proposed.',
  },
  timeout_required: {
    kind: 'fault',
    meaning: 'A task waits for what may take any time, so the definition needs a timeout of its own; one is proposed.',
  },
  conflicting_fields: { kind: 'fault', meaning: 'Fields stand together of which only one may be there.' },

  // Warnings beside a success.
  retry_may_not_fit: {
    kind: 'warning',
    meaning: 'The waits between the attempts of a task may together take longer than the run may.',
  },
  missing_secret: { kind: 'warning', meaning: 'A task names a secret that is not there.' },
  literal_key: { kind: 'warning', meaning: 'A key is written out in a definition, which shows it.' },
  missing_workflow: {
    kind: 'warning',
    meaning: 'A task starts a workflow, or a version of one, that is not there.',
  },
  missing_main: { kind: 'warning', meaning: 'A Python script seems to define no `main`, which is what is called.' },
  missing_module: { kind: 'warning', meaning: 'A Python script imports a module that there is not.' },
  url_not_allowed: {
    kind: 'warning',
    meaning: 'A task calls a URL that the egress policy refuses: it fails with `egress_denied`.',
  },
  placeholder: { kind: 'warning', meaning: 'A task without `with` does nothing and succeeds with null.' },

  unknown_keyword: { kind: 'warning', meaning: 'A schema has a keyword that JSON Schema 2020-12 does not know.' },
  format_not_checked: { kind: 'warning', meaning: 'The `format` of a schema is told to people and not checked.' },

  // How a task failed.
  http_network: { kind: 'task', retryable: true, meaning: 'The server could not be reached, or the connection broke.' },
  timeout: {
    kind: 'task',
    retryable: true,
    meaning: 'The attempt, or what a task waited for, took longer than it may.',
  },
  response_too_large: {
    kind: 'task',
    retryable: false,
    meaning: 'The answer is larger than max_bytes, or becomes too large once it is decoded.',
  },
  invalid_response: {
    kind: 'task',
    retryable: false,
    meaning:
      'The answer is not what `parse`, the `descriptors` of a gRPC task or the API of models say that it is, or `paginate.next` names no page that can be fetched.',
  },
  poll_exhausted: {
    kind: 'task',
    retryable: false,
    meaning:
      'The answer that is waited for did not come within poll.at_most, or the next call would come after the deadline of the run.',
  },
  egress_denied: {
    kind: 'task',
    retryable: false,
    meaning: 'The address is not one that tasks may call (EGRESS_ALLOW).',
  },
  output_too_large: {
    kind: 'task',
    retryable: false,
    meaning: 'The output is larger than 1 MiB, or those of all items of a map than 8 MiB.',
  },
  invalid_with: {
    kind: 'task',
    retryable: false,
    meaning: '`with`, once its expressions were filled in, has a value that the type does not take.',
  },
  expression_error: { kind: 'task', retryable: false, meaning: 'An expression could not be evaluated.' },
  unknown_secret: { kind: 'task', retryable: false, meaning: 'The task names a secret that is not there.' },
  secret_unreadable: {
    kind: 'task',
    retryable: false,
    meaning: 'The secrets of the task cannot be read: the key that encrypted them is not configured.',
  },
  secrets_too_large: {
    kind: 'task',
    retryable: false,
    meaning: 'The secrets of the task have more than 128 KiB together, more than is looked for in its answer.',
  },
  expression_limit: {
    kind: 'task',
    retryable: false,
    meaning: 'An expression is too long, too deep, takes too many steps or yields too much.',
  },
  interrupted_too_often: {
    kind: 'task',
    retryable: false,
    meaning:
      'Five attempts were cut off by a crash or a deploy, or a part of this service that was needed for them did not answer 60 times in a row.',
  },
  deadline_before_retry: {
    kind: 'task',
    retryable: false,
    meaning: 'The next attempt would come after the deadline of the run; `cause` is what the last one ended with.',
  },
  retry_after_too_long: {
    kind: 'task',
    retryable: false,
    meaning: 'The server asked to be left alone until after the deadline of the run; `cause` is what it answered.',
  },
  circuit_open: {
    kind: 'task',
    retryable: true,
    meaning:
      'The circuit of the server called stays open until after the deadline of the run, so no attempt was made; `cause` is what the last one ended with, if there was one.',
  },
  retry_budget_exhausted: {
    kind: 'task',
    retryable: true,
    meaning:
      'The server called gets no more retries for now: a fifth of the calls of a minute and ten more. `cause` is what the last attempt ended with.',
  },
  unknown_workflow: {
    kind: 'task',
    retryable: false,
    meaning: 'There is no workflow, or version, that the task names.',
  },
  paused_workflow: { kind: 'task', retryable: true, meaning: 'The workflow that the task names takes no new runs.' },
  invalid_child_input: {
    kind: 'task',
    retryable: false,
    meaning: 'The input for the child run does not fit the input_schema of its workflow, or is larger than 1 MiB.',
  },
  workflow_cycle: {
    kind: 'task',
    retryable: false,
    meaning: 'A workflow would start itself: the version that the task names stands above it already.',
  },
  nesting_too_deep: { kind: 'task', retryable: false, meaning: 'Sixteen runs stand above the run already.' },
  invalid_items: {
    kind: 'task',
    retryable: false,
    meaning: 'The items of a map are no list, more than 10,000, or larger than 1 MiB.',
  },
  map_failed: {
    kind: 'task',
    retryable: false,
    meaning: 'More items of a map failed than are tolerated; `items` has the indexes of the first 100.',
  },
  script_syntax: { kind: 'task', retryable: false, meaning: 'The script cannot be read; the message has the line.' },
  script_error: {
    kind: 'task',
    retryable: false,
    meaning: 'The script threw, or has no function to call; the message has its trace.',
  },
  script_limit: {
    kind: 'task',
    retryable: false,
    meaning: 'The script used up its cpu, memory, stack or output; the message says which.',
  },
  script_result: {
    kind: 'task',
    retryable: false,
    meaning: 'What the script returned is not JSON; the message has the place.',
  },
  inference_refused: {
    kind: 'task',
    retryable: false,
    meaning: 'The model refused to answer, or a content filter forbids the question or the answer.',
  },
  inference_schema: {
    kind: 'task',
    retryable: true,
    meaning:
      'The model answered twice without the form of `response_schema`, the second time with the faults of the first.',
  },
  inference_truncated: {
    kind: 'task',
    retryable: false,
    meaning: 'The answer of the model was cut off, by `max_tokens` or by what the model can hold.',
  },
  binding_missing: { kind: 'task', retryable: false, meaning: 'The deployment lacks the binding that the task names.' },
  child_cancelled: { kind: 'task', retryable: false, meaning: 'The child run was cancelled.' },
  executor_error: { kind: 'task', retryable: true, meaning: 'The executor broke down without an answer.' },
  executor_busy: {
    kind: 'task',
    retryable: true,
    meaning: 'So much waits for its turn in the executor already that the script was not taken in.',
  },

  // How a gRPC server failed a task: the statuses of gRPC but OK.
  grpc_cancelled: { kind: 'task', retryable: false, meaning: 'The gRPC server says that the call was cancelled.' },
  grpc_unknown: {
    kind: 'task',
    retryable: false,
    meaning: 'The gRPC server failed without saying how, as one whose code threw.',
  },
  grpc_invalid_argument: { kind: 'task', retryable: false, meaning: 'The gRPC server does not take the message.' },
  grpc_deadline_exceeded: {
    kind: 'task',
    retryable: true,
    meaning: 'The gRPC server had not answered when the time of the attempt was over.',
  },
  grpc_not_found: { kind: 'task', retryable: false, meaning: 'The gRPC server does not have what was asked for.' },
  grpc_already_exists: {
    kind: 'task',
    retryable: false,
    meaning: 'What was to be made is there already, says the gRPC server.',
  },
  grpc_permission_denied: {
    kind: 'task',
    retryable: false,
    meaning: 'The gRPC server does not let the caller do this.',
  },
  grpc_resource_exhausted: {
    kind: 'task',
    retryable: true,
    meaning: 'The gRPC server has no room for the call: a quota, a rate, or its memory.',
  },
  grpc_failed_precondition: {
    kind: 'task',
    retryable: false,
    meaning: 'The gRPC server is not in a state that the call needs.',
  },
  grpc_aborted: {
    kind: 'task',
    retryable: true,
    meaning: 'The gRPC server gave the call up, mostly because of another one at the same time.',
  },
  grpc_out_of_range: {
    kind: 'task',
    retryable: false,
    meaning: 'The gRPC server was asked for something beyond its range.',
  },
  grpc_unimplemented: {
    kind: 'task',
    retryable: false,
    meaning: 'The gRPC server has no such service or method, or does not speak this `protocol`.',
  },
  grpc_internal: {
    kind: 'task',
    retryable: false,
    meaning: 'The gRPC server broke down, or what it answered is not gRPC.',
  },
  grpc_unavailable: {
    kind: 'task',
    retryable: true,
    meaning: 'The gRPC server could not be reached, the connection broke, or it takes no calls for now.',
  },
  grpc_data_loss: { kind: 'task', retryable: false, meaning: 'The gRPC server has lost data.' },
  grpc_unauthenticated: { kind: 'task', retryable: false, meaning: 'The gRPC server does not know the caller.' },

  // How a run failed, when it was no task.
  run_timeout: { kind: 'run', meaning: 'The run was not done within its timeout.' },
  deadlock: { kind: 'run', meaning: 'Tasks are left, none is executing and none can start.' },
  history_limit: { kind: 'run', meaning: 'The history of the run has reached 50,000 events.' },
  compensation_failed: {
    kind: 'run',
    meaning: 'A task that was to undo another failed; `cause` is why the run had to undo anything.',
  },
  run_too_large: {
    kind: 'run',
    meaning: 'The outputs of the run have reached 64 MiB, or its history without large outputs 16 MiB.',
  },
  run_poisoned: { kind: 'run', meaning: 'The run could not be loaded at two starts in a row, so it was ended.' },
  run_internal_error: { kind: 'run', meaning: 'A bug of this service ended the run.' },
} as const satisfies Record<string, CodeEntry>

export type Code = keyof typeof CODES

/** Codes of kind K, as a type. */
type CodeOf<K extends CodeEntry['kind']> = { [C in Code]: (typeof CODES)[C]['kind'] extends K ? C : never }[Code]
export type ProblemCode = CodeOf<'problem'>
export type FaultCode = CodeOf<'fault'> | 'not_available' | 'expression_limit' | 'workflow_cycle' | 'script_syntax'
export type WarningCode = CodeOf<'warning'>
/** `http_<status>` is a family: one code for each status that the task did not expect. */
export type TaskCode = CodeOf<'task'> | `http_${number}`
/** What a task, or a run, can end with. */
export type EndCode = TaskCode | CodeOf<'run'>

/** Statuses after which the same call may well succeed (api.md "Retryable"; RFC 9110, RFC 8470, RFC 6585). */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

/** Whether an attempt that ended with this HTTP status is worth another. */
export function isRetryableStatus(status: number): boolean {
  return RETRYABLE_STATUSES.has(status)
}

/** One fault of a body: `path` is a JSON Pointer (RFC 6901) into it. */
export interface Fault {
  path: string
  code: FaultCode
  message: string
}

/** Something that the caller of a successful request should look at. */
export interface Warning {
  path: string
  code: WarningCode
  message: string
}
