// The form of run ids, which links, histories and clients hold for as long as runs are kept.

import { describe, expect, test } from 'vitest'
import { parseRunId, prefixOfRun, RUN_ID_FORM, runIdOf, runPrefix, SHARDS } from '../../src/workflow/run-id.ts'

const ULID = '01JABCDEFGHJKMNPQRSTVWXYZ0'

describe('the id of a run', () => {
  test('says which shard keeps it, and is parsed as it was put together', () => {
    for (let shard = 0; shard < SHARDS; shard++) {
      const id = runIdOf(shard, ULID)
      expect(id).toBe(`run_${shard.toString(16).padStart(2, '0')}${ULID}`)
      expect(parseRunId(id)).toEqual({ shard, ulid: ULID })
      expect([prefixOfRun(id), id.startsWith(runPrefix(shard))]).toEqual([runPrefix(shard), true])
      expect(id).toMatch(new RegExp(`^${RUN_ID_FORM}$`))
    }
  })

  test.each([
    ['another shard than there are', runIdOf(SHARDS, ULID)],
    ['a shard in capitals', `run_0A${ULID}`],
    ['a letter that no ULID has', runIdOf(0, ULID.replace('A', 'U'))],
    ['a time beyond what a ULID can hold', runIdOf(0, `8${ULID.slice(1)}`)],
    ['more behind it', `${runIdOf(0, ULID)}0`],
    ['a line break behind it', `${runIdOf(0, ULID)}\n`],
    ['something before it', ` ${runIdOf(0, ULID)}`],
    ['nothing', ''],
  ])('is none with %s', (_, id) => {
    expect(parseRunId(id)).toBeNull()
  })
})
