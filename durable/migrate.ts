// Tables of a Durable Object: numbered SQL statements, each run once per object.
// A list of migrations is only ever added to at its end. An object may be older than its code (it catches up) or, for the
// time of a rollback, newer (it is left as it is): a statement must not break the release before it (R9).

/**
 * Runs the statements that this object has not had yet. Synchronous, so that a constructor can call it before anything
 * else can happen. If one throws, those before it stay done and the next instance goes on from there.
 * Costs one row read; on an object that is new, about three rows written per table.
 * @param migrations one SQL statement each, in order; the first is number 1
 */
export function migrate(sql: SqlStorage, migrations: readonly string[]): void {
  sql.exec('CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY)')
  const { done } = sql.exec<{ done: number }>('SELECT coalesce(max(number), 0) AS done FROM migrations').one()
  for (const [index, statement] of migrations.entries()) {
    const number = index + 1
    if (number <= done) continue
    sql.exec(statement)
    sql.exec('INSERT INTO migrations (number) VALUES (?)', number)
  }
}
