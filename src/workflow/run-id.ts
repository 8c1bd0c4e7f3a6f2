// The form of run ids: `run_`, two hex digits of the shard that keeps the run, a ULID. So every id tells its Runner
// without a look-up, and ids of a shard in order are its runs in the order of their starts. Pure: chance and time are the caller's.

/** Runners of a tenant. Part of every run id, so it can only be changed together with a way to find older runs. */
export const SHARDS = 16

/** Regular expression, without groups, for run ids of every shard, including shards that only a later deployment has. For use inside other expressions. */
export const RUN_ID_FORM = 'run_[0-9a-f]{2}[0-7][0-9A-HJKMNP-TV-Z]{25}'

const RUN_ID = new RegExp(`^${RUN_ID_FORM}$`)
const SHARD_AT = 'run_'.length
const PREFIX_LENGTH = SHARD_AT + 2

/** The id of a run on this shard. Does not check the ULID. */
export function runIdOf(shard: number, ulid: string): string {
  return runPrefix(shard) + ulid
}

/** What the ids of a shard's runs begin with. */
export function runPrefix(shard: number): string {
  return `run_${shard.toString(16).padStart(2, '0')}`
}

/** The prefix that this run's id shares with all runs of its shard: `run_` and two hex digits. Does not check the id. */
export function prefixOfRun(runId: string): string {
  return runId.slice(0, PREFIX_LENGTH)
}

/** The parts of a run id; null if the text has another form, or names a shard that this deployment does not have. */
export function parseRunId(id: string): { shard: number; ulid: string } | null {
  if (!RUN_ID.test(id)) return null
  const shard = Number.parseInt(id.slice(SHARD_AT, PREFIX_LENGTH), 16)
  return shard < SHARDS ? { shard, ulid: id.slice(PREFIX_LENGTH) } : null
}
