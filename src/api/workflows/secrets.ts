// Secrets: written, listed by name, deleted, and never read back. The Vault seals them; tasks name them, and the executor
// alone is given their values.

import { z } from 'zod'
import type { NotConfigured, SecretInfo } from '../../../durable/vault/vault-rpc.ts'
import { isLongerThan } from '../../bytes.ts'
import type { Env } from '../../env.ts'
import { vaultOf } from '../../objects.ts'
import { SECRET_NAME } from '../../workflow/expression/secret-marks.ts'
import { checkShape } from '../../workflow/faults.ts'
import { timeText } from '../../workflow/time.ts'
import { isText, PAGE_QUERY, pageResponse, positionOf } from '../http/page.ts'
import { ApiProblem, detailOf, faultyBody } from '../http/problem.ts'
import { withRepeats } from '../http/repeats.ts'
import { type Route, route } from '../http/route.ts'
import { pageOf, timestamp } from '../schemas.ts'
import { jsonResponse } from './workflow-answers.ts'

const MAX_VALUE_BYTES = 32 * 1024
/** A character of JSON may be written in six. */
const MAX_BODY_BYTES = 6 * MAX_VALUE_BYTES + 1024

/** What is shorter could not be masked without hiding much that is no secret. */
const MIN_VALUE_CHARACTERS = 8

const name = z.string().meta({ examples: ['API_KEY'], pattern: SECRET_NAME.source })

const SecretSchema = z
  .strictObject({
    name,
    created_at: timestamp,
    updated_at: timestamp,
    key: z.enum(['current', 'previous', 'unknown']).meta({
      description:
        'What it is encrypted with: `SECRETS_KEY`, `SECRETS_KEY_PREVIOUS`, or neither of them; then it cannot be used until it is set again.',
    }),
  })
  .meta({ id: 'Secret', description: 'A secret without its value, which is never read back.' })

const BodySchema = z
  .strictObject({
    value: z
      .string()
      .refine((text) => text.isWellFormed(), {
        params: { code: 'invalid_value' },
        error: 'holds half of a surrogate pair, which is no text',
      })
      .refine((text) => text.replace(/\s/g, '').length >= MIN_VALUE_CHARACTERS, {
        params: { code: 'out_of_bounds' },
        error: `must have at least ${MIN_VALUE_CHARACTERS} characters that are not blank: what is shorter could not be masked`,
      })
      .refine((text) => !isLongerThan(MAX_VALUE_BYTES, text), {
        params: { code: 'out_of_bounds' },
        error: 'must have at most 32 KiB',
      })
      .meta({
        description: `The secret: a text of at least ${MIN_VALUE_CHARACTERS} characters and at most 32 KiB.`,
        examples: ['a key of another service'],
      }),
  })
  .meta({ id: 'SecretValue' })

const put = route({
  method: 'PUT',
  path: '/v1/secrets/{secret}',
  tag: 'Secrets',
  summary: 'Keep a secret',
  description:
    'Encrypted (AES-256-GCM) with a key derived from `SECRETS_KEY`. Tasks name it in `with`, as `${{ secrets.NAME }}`. Whatever they report shows `***` in its place. The answer leaves only when no call is made with the value before any more. At most 200 secrets.',
  access: 'key',
  body: { schema: BodySchema, maxBytes: MAX_BODY_BYTES, check: checkBody },
  answers: {
    200: { description: 'Replaced.', content: SecretSchema },
    201: { description: 'Kept.', content: SecretSchema, headers: ['Location'] },
  },
  problems: ['secrets_not_configured', 'too_many_secrets'],
  async handle({ env, tenant, params: { secret }, body: { value } }) {
    const kept = requireConfigured(await withRepeats(() => vaultOf(env, tenant).put(secret, value)))
    if (kept.kind === 'too_many') {
      throw new ApiProblem('too_many_secrets', 'A tenant may have 200 secrets; delete one that is not needed')
    }
    const text = JSON.stringify(secretJson(kept.secret))
    return kept.isNew ? jsonResponse(text, 201, { Location: `/v1/secrets/${secret}` }) : jsonResponse(text)
  },
})

const list = route({
  method: 'GET',
  path: '/v1/secrets',
  tag: 'Secrets',
  summary: 'List secrets',
  description: 'By name, without their values.',
  access: 'key',
  query: z.strictObject(PAGE_QUERY),
  answers: { 200: { description: 'A page.', content: pageOf(SecretSchema, 'SecretPage'), headers: ['Link'] } },
  problems: ['secrets_not_configured', 'bad_cursor'],
  async handle({ env, tenant, path, query: { limit, cursor } }) {
    const listing = { path, filters: {}, limit }
    const after = positionOf(listing, cursor, isText)
    const page = requireConfigured(await withRepeats(() => vaultOf(env, tenant).list(after, limit)))
    const texts = page.items.map((secret) => JSON.stringify(secretJson(secret)))
    return pageResponse(listing, texts, page.next)
  },
})

const remove = route({
  method: 'DELETE',
  path: '/v1/secrets/{secret}',
  tag: 'Secrets',
  summary: 'Delete a secret',
  description:
    'Tasks that name it fail from then on with `unknown_secret`. The answer leaves only when no call is made with it any more.',
  access: 'key',
  answers: { 204: { description: 'Deleted.' } },
  problems: ['secrets_not_configured', 'secret_not_found'],
  async handle({ env, tenant, params: { secret } }) {
    // Not repeated by itself: the repeat would not find what the first try deleted, and say so.
    const removed = SECRET_NAME.test(secret) ? requireConfigured(await vaultOf(env, tenant).remove(secret)) : null
    if (removed?.kind !== 'removed') throw new ApiProblem('secret_not_found', 'There is no secret of this name')
    return new Response(null, { status: 204 })
  },
})

const rotate = route({
  method: 'POST',
  path: '/v1/secrets/rotate',
  tag: 'Secrets',
  summary: 'Encrypt all secrets with the current key',
  description:
    'To change the key: make the old one `SECRETS_KEY_PREVIOUS` and a new one `SECRETS_KEY`, deploy, call this, and remove `SECRETS_KEY_PREVIOUS`. Secrets can be used all the while. Twice is as good as once.',
  access: 'key',
  answers: {
    200: {
      description: 'Done.',
      content: z
        .strictObject({
          rotated: z
            .int()
            .min(0)
            .meta({ description: 'Secrets that were encrypted with the previous key.', examples: [12] }),
          unreadable: z
            .array(name)
            .meta({ description: 'Secrets that neither key opens: set them again, or delete them.' }),
        })
        .meta({ id: 'Rotation' }),
    },
  },
  problems: ['secrets_not_configured'],
  async handle({ env, tenant }) {
    const { rotated, unreadable } = requireConfigured(await withRepeats(() => vaultOf(env, tenant).rotate()))
    return jsonResponse(JSON.stringify({ rotated, unreadable }))
  },
})

/** Which of these names have no secret. */
export function missingSecrets(env: Env, tenant: string, names: readonly string[]): Promise<string[]> {
  return withRepeats(() => vaultOf(env, tenant).missing(names))
}

/** @throws ApiProblem `secrets_not_configured` */
function requireConfigured<Answer extends object>(answer: Answer | NotConfigured): Exclude<Answer, NotConfigured> {
  if ('kind' in answer && answer.kind === 'not_configured') {
    throw new ApiProblem('secrets_not_configured', (answer as NotConfigured).why)
  }
  return answer as Exclude<Answer, NotConfigured>
}

/** @throws ApiProblem with every fault; no fault shows the value */
function checkBody(given: unknown, { secret }: { secret: string }): z.output<typeof BodySchema> {
  const checked = checkShape(BodySchema, given)
  if (!SECRET_NAME.test(secret)) {
    const rule = 'The name of a secret is a letter or _, then letters, digits and _, at most 64'
    if (checked.ok) throw new ApiProblem('invalid_parameter', rule)
    throw new ApiProblem('invalid_parameter', `${rule}; ${detailOf(checked.faults)}`, { errors: checked.faults })
  }
  if (checked.ok) return checked.value
  throw faultyBody(checked.faults)
}

function secretJson({ name, createdAt, updatedAt, key }: SecretInfo) {
  return { name, created_at: timeText(createdAt), updated_at: timeText(updatedAt), key }
}

/** The routes of this file, for app.ts. */
export const secretRoutes: readonly Route[] = [list, put, remove, rotate]
