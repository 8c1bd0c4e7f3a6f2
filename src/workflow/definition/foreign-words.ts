// What a field is called here that an author knows by another name: from GitHub Actions, Airflow, Argo, Step Functions, Temporal
// or the Serverless Workflow language. A misspelt word of ours is not here: spelling finds it (nearest.ts). For words only, no
// decision rests on it.

import { quoted } from '../nearest.ts'

type Words = ReadonlyMap<string, string>

/** @param meanings what to say, and the words to say it of; case, "_" and "-" do not count in them */
function wordsOf(meanings: readonly [said: string, ...words: string[]][]): Words {
  return new Map(meanings.flatMap(([said, ...words]) => words.map((word) => [word, said] as const)))
}

const OF_DEFINITION = wordsOf([
  ['what a workflow does stands in "tasks", a list', 'steps', 'jobs', 'states', 'nodes', 'do'],
  ['what holds for all tasks stands in "defaults": {"retry": ...}', 'retry', 'retries', 'retrypolicy', 'retrystrategy'],
  [
    'the time limit of a run is "timeout", a span such as "30s"',
    'timeoutseconds',
    'timeoutminutes',
    'activedeadlineseconds',
    'dagruntimeout',
  ],
  ['how many tasks of a run execute at once is "max_parallel"', 'parallelism', 'maxactivetasks', 'maxparallelism'],
])

const OF_TASK = wordsOf([
  ['what a task waits for stands in "depends_on"', 'needs', 'after', 'runafter', 'upstream'],
  ['what comes after a task names it in its own "depends_on"', 'next', 'then', 'downstream'],
  ['a condition is "when", an expression', 'if', 'condition'],
  [
    'a script is a task of type "python" or "javascript", with its text in "with": {"code": ...}',
    'run',
    'script',
    'command',
    'source',
  ],
  ['what a task is called is its "id"', 'name', 'key', 'taskid'],
  ['what a task is made of is its "type"', 'uses', 'operator', 'kind'],
  ['what a task is given stands in "with"', 'args', 'arguments', 'params', 'parameters', 'config', 'inputs', 'input'],
  [
    'further attempts are "retry": {"max_attempts": 3}, of which the first counts',
    'retries',
    'retrypolicy',
    'retrystrategy',
    'maxattempts',
  ],
  [
    'the time limit of an attempt is "timeout", a span such as "30s"',
    'timeoutseconds',
    'timeoutminutes',
    'executiontimeout',
    'starttoclosetimeout',
  ],
  [
    'a task for each value of a list is one of type "map"',
    'foreach',
    'withitems',
    'withparam',
    'matrix',
    'strategy',
    'loop',
  ],
  [
    'that a run goes on after a failure says "on_failure": "continue" of the workflow, or the "trigger_rule" of what comes after',
    'continueonerror',
    'continueon',
    'catch',
  ],
])

const OF_RETRY = wordsOf([
  [
    'how often is "max_attempts", of which the first counts',
    'limit',
    'retries',
    'attempts',
    'count',
    'maximumattempts',
  ],
  ['the wait before the second attempt is "initial_interval"', 'delay', 'interval', 'intervalseconds', 'retrydelay'],
  ['how waits grow is "multiplier"', 'backoff', 'backoffrate', 'backoffcoefficient', 'factor'],
])

const PLACES = { definition: OF_DEFINITION, task: OF_TASK, retry: OF_RETRY }

/** What to say of an unknown field of this name; null if no other engine calls something so. */
export function foreignWord(place: keyof typeof PLACES, name: string): string | null {
  const said = PLACES[place].get(name.toLowerCase().replaceAll(/[-_]/g, ''))
  return said === undefined ? null : `there is no field ${quoted(name)} here: ${said}`
}
