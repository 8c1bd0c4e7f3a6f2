// Pure. The schema of `with` of a `grpc` task, written for rendered values. What can be seen only with the descriptors (whether
// the service has the method, whether the message fits) is grpc/check.ts's.

import { z } from 'zod'
import type { FaultCode } from '../../workflow/codes.ts'
import { choice } from '../../workflow/definition/choice.ts'
import type { Json } from '../../workflow/json.ts'
import { isTemplate } from '../templates.ts'
import { FORBIDDEN_HEADERS, HEADER_VALUE, url as httpUrl } from './http-with.ts'

/** Characters of base64: a set of some hundred files. */
const MAX_DESCRIPTORS = 1_048_576

const fault = (code: FaultCode) => ({ code })

const PACKAGED_NAME = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/
const PLAIN_NAME = /^[A-Za-z_]\w*$/
/** Names of metadata (gRPC over HTTP/2, "Custom-Metadata"); upper case is taken and sent as lower case. */
const METADATA_NAME = /^[0-9A-Za-z_.-]+$/
const BASE64 = /^[A-Za-z0-9+/=_-]*$/

/** Headers that the protocols themselves use. */
const PROTOCOL_HEADERS = /^(?:grpc-|connect-|trailer-|x-grpc-web$|content-|accept-encoding$|te$)/

const metadataValue = z.string().regex(HEADER_VALUE, 'must be visible ASCII on one line')
const isList = (value: unknown) => (Array.isArray(value) ? 0 : 1)

const metadata = z
  .record(z.string(), choice(isList, [z.array(metadataValue).min(1).max(50), metadataValue]))
  .superRefine((value, ctx) => {
    const seen = new Set<string>()
    for (const [name, values] of Object.entries(value)) {
      const lower = name.toLowerCase()
      const refuse = (code: FaultCode, message: string) =>
        ctx.addIssue({ code: 'custom', path: [name], params: fault(code), message })
      if (!METADATA_NAME.test(name)) refuse('invalid_format', 'is not the name of metadata')
      else if (FORBIDDEN_HEADERS.has(lower) || PROTOCOL_HEADERS.test(lower)) {
        refuse('invalid_value', 'is set by the service itself')
      } else if (seen.has(lower)) refuse('conflicting_fields', 'stands twice: names ignore case; give a list')
      else if (lower.endsWith('-bin') && ![values].flat().every(isBinaryOrTemplate)) {
        refuse('invalid_format', 'must be base64: names that end in "-bin" hold bytes')
      }
      seen.add(lower)
    }
  })

const url = httpUrl.refine((text) => !/[?#]/.test(text), {
  params: fault('invalid_value'),
  error: 'must end with its path: a query or fragment has no place in a gRPC call',
})

/** The schema of `with` of a `grpc` task. */
export const grpcWith = z
  .strictObject({
    url: url.meta({
      description:
        'The server: http or https, without credentials; a path is put before that of the method. Private and local addresses are refused (EGRESS_ALLOW).',
      example: 'https://rpc.example.com',
    }),
    service: z.string().max(500).regex(PACKAGED_NAME, 'must be the full name of a service').meta({
      description: 'Full name of the service, with its package.',
      example: 'shop.v1.Orders',
    }),
    method: z.string().max(200).regex(PLAIN_NAME, 'must be the name of a method').meta({
      description: 'Name of the method; unary ones only.',
      example: 'GetOrder',
    }),
    message: (z.unknown() as unknown as z.ZodType<Json>).default({}).meta({
      description:
        'The request, as ProtoJSON: 64-bit integers as strings (numbers are taken too), bytes as base64, enums by name, timestamps as RFC 3339. Fields that the type does not have are refused.',
      example: { id: '7' },
    }),
    metadata: metadata.optional().meta({
      description:
        'Headers of the call, visible ASCII; a list repeats its name; a name that ends in "-bin" holds base64. Those of the connection and of the protocol are refused. An Idempotency-Key or User-Agent of yours replaces the default.',
      example: { authorization: 'Bearer ...' },
    }),
    descriptors: z
      .string()
      .min(1)
      .max(MAX_DESCRIPTORS)
      .regex(/^[A-Za-z0-9+/=\s]+$/, 'must be base64')
      .optional()
      .meta({
        description:
          'What the service is: a FileDescriptorSet in base64, at most 1 MiB of it, as `protoc --include_imports --descriptor_set_out=FILE` or `buf build -o FILE` writes it. Needed, but with `grpc_h2c`: without it the server is asked (reflection), and nothing is checked at registration.',
        example: 'CgpvcmRlcnMucHJvdG8...',
      }),
    protocol: z.enum(['connect', 'grpc_web', 'grpc_h2c']).default('connect').meta({
      description:
        '`connect` and `grpc_web` over http and https; `grpc_h2c` is gRPC itself over HTTP/2 without TLS, for http alone. gRPC over TLS needs a proxy that speaks gRPC-Web: the runtime cannot negotiate HTTP/2.',
      example: 'grpc_web',
    }),
  })
  .superRefine(
    (value, ctx) => {
      if (value.descriptors === undefined && value.protocol !== 'grpc_h2c' && !isTemplate(value.protocol)) {
        ctx.addIssue({
          code: 'custom',
          path: ['descriptors'],
          params: fault('required'),
          message:
            'is required: only with "protocol": "grpc_h2c" can the server be asked what it is (reflection is a stream)',
        })
      }
      if (value.protocol === 'grpc_h2c' && typeof value.url === 'string' && /^https:/i.test(value.url)) {
        ctx.addIssue({
          code: 'custom',
          path: ['protocol'],
          params: fault('conflicting_fields'),
          message: 'is HTTP/2 without TLS, so "url" must begin with http:; over TLS there are "connect" and "grpc_web"',
        })
      }
    },
    { when: ({ value }) => typeof value === 'object' && value !== null },
  )
  .meta({
    description: 'A unary gRPC call.',
    example: {
      url: 'https://rpc.example.com',
      service: 'shop.v1.Orders',
      method: 'GetOrder',
      message: { id: '7' },
      descriptors: 'CgpvcmRlcnMucHJvdG8...',
    },
  })

/** `with` of a `grpc` task, checked and with its defaults. */
export type GrpcWith = z.output<typeof grpcWith>

function isBinaryOrTemplate(value: unknown): boolean {
  return (
    typeof value !== 'string' ||
    value.includes('${{') ||
    (BASE64.test(value) && value.replace(/=+$/, '').length % 4 !== 1)
  )
}
