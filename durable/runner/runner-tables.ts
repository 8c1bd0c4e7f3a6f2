// The tables of a Runner.
//
// `runs` holds a run's present state beside the commits that made it; `due_at` is the promise of its future work (R4).
// `removals` names runs whose row is gone and whose other rows are not yet (removal.ts), `upkeep` when rows have to go (retention.ts),
// `bulk` jobs on many runs, and where they stand (bulk-jobs.ts).
// `circuits` are those that are not closed, `circuit_waits` the runs that they hold back (circuits.ts). `cut_offs` are
// runs that are still to be cancelled since what they are part of has ended (cut-offs.ts). `retried` names the runs that later
// runs make again, so that a bulk retry leaves them alone (history.ts).

export const RUNNER_MIGRATIONS = [
  `CREATE TABLE runs (
    id TEXT PRIMARY KEY, workflow TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL,
    due_at INTEGER, in_flight INTEGER NOT NULL, is_unreadable INTEGER NOT NULL DEFAULT 0, spilled INTEGER NOT NULL, payloads INTEGER NOT NULL,
    history_length INTEGER NOT NULL, payload_bytes INTEGER NOT NULL,
    summary TEXT NOT NULL, head TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX runs_due ON runs(due_at) WHERE due_at IS NOT NULL;
  CREATE TABLE commits (run_id TEXT, seq INTEGER, lines TEXT NOT NULL, PRIMARY KEY (run_id, seq)) WITHOUT ROWID;
  CREATE TABLE payloads (run_id TEXT, n INTEGER, part INTEGER, data TEXT NOT NULL, PRIMARY KEY (run_id, n, part)) WITHOUT ROWID;
  CREATE TABLE definitions (name TEXT, version INTEGER, part INTEGER, data TEXT NOT NULL, PRIMARY KEY (name, version, part)) WITHOUT ROWID;
  CREATE TABLE idempotency (key TEXT PRIMARY KEY, body_hash TEXT NOT NULL, run_id TEXT NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE counts (key TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE suspect (one INTEGER PRIMARY KEY CHECK (one = 1), run_id TEXT NOT NULL, starts INTEGER NOT NULL);`,
  'CREATE TABLE removals (run_id TEXT PRIMARY KEY) WITHOUT ROWID;',
  'CREATE TABLE upkeep (one INTEGER PRIMARY KEY CHECK (one = 1), next_at INTEGER);',
  `CREATE TABLE bulk (id TEXT PRIMARY KEY, job TEXT NOT NULL, position TEXT, matched INTEGER NOT NULL, done INTEGER NOT NULL,
    failed INTEGER NOT NULL, finished_at INTEGER, untold TEXT NOT NULL) WITHOUT ROWID;`,
  `CREATE TABLE circuits (target TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE circuit_waits (target TEXT, run_id TEXT, PRIMARY KEY (target, run_id)) WITHOUT ROWID;`,
  'CREATE TABLE callback_secret (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB NOT NULL);',
  'CREATE TABLE cut_offs (run_id TEXT PRIMARY KEY) WITHOUT ROWID;',
  'CREATE TABLE retried (run_id TEXT PRIMARY KEY) WITHOUT ROWID;',
] as const
