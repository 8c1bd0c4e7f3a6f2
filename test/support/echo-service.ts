// A gRPC service for tests, described as a compiler of .proto files would describe it:
//
//   service Echo { rpc Say(SayRequest) returns (SayReply); rpc Watch(SayRequest) returns (stream SayReply); }
//
// A server of it answers with what it was sent and what it saw, or fails as the request asks.

import { create, createFileRegistry, type DescMessage, fromBinary, fromJson, toBinary } from '@bufbuild/protobuf'
import { base64Encode } from '@bufbuild/protobuf/wire'
import {
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_timestamp,
} from '@bufbuild/protobuf/wkt'
import type { Json } from '../../src/workflow/json.ts'

type Field = [name: string, number: number, type: string, label?: 'LABEL_REPEATED']

const field = ([name, number, type, label = undefined]: Field) => ({
  name,
  number,
  label: label ?? 'LABEL_OPTIONAL',
  jsonName: name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
  ...(type.startsWith('.')
    ? { type: type === '.echo.v1.Kind' ? 'TYPE_ENUM' : 'TYPE_MESSAGE', typeName: type }
    : { type: `TYPE_${type.toUpperCase()}` }),
})
const message = (name: string, fields: Field[], rest: object = {}) => ({ name, field: fields.map(field), ...rest })
const mapEntry = (name: string) =>
  message(
    name,
    [
      ['key', 1, 'string'],
      ['value', 2, 'string'],
    ],
    { options: { mapEntry: true } },
  )

const shared: Field[] = [
  ['text', 1, 'string'],
  ['big', 2, 'int64'],
  ['raw', 3, 'bytes'],
  ['kind', 4, '.echo.v1.Kind'],
  ['at', 5, '.google.protobuf.Timestamp'],
  ['tags', 6, 'string', 'LABEL_REPEATED'],
  ['held', 7, '.google.protobuf.Any'],
  ['inner', 8, '.echo.v1.SayRequest'],
]

const echoFile = {
  name: 'echo/v1/echo.proto',
  package: 'echo.v1',
  dependency: ['google/protobuf/timestamp.proto', 'google/protobuf/any.proto', 'google/rpc/error_details.proto'],
  syntax: 'proto3',
  messageType: [
    message('SayRequest', [
      ...shared,
      // What to fail with, a status of gRPC; 0: not at all.
      ['status', 20, 'int32'],
      ['reason', 21, 'string'],
      ['delay_ms', 22, 'int32'],
      // How long a text to answer with.
      ['length', 23, 'int32'],
      // With a detail of google.rpc.RetryInfo of so many ms.
      ['retry_ms', 24, 'int32'],
    ]),
    message(
      'SayReply',
      [
        ...shared,
        ['count', 20, 'int32'],
        ['seen', 21, '.echo.v1.SayReply.SeenEntry', 'LABEL_REPEATED'],
        ['many', 22, '.echo.v1.Kind', 'LABEL_REPEATED'],
      ],
      {
        nestedType: [mapEntry('SeenEntry')],
      },
    ),
  ],
  enumType: [
    {
      name: 'Kind',
      value: [
        { name: 'KIND_UNSPECIFIED', number: 0 },
        {
          name: 'KIND_A_NAME_THAT_IS_MUCH_LONGER_THAN_THE_ONE_BYTE_THAT_IT_TAKES_WHEN_IT_IS_SENT_OVER_A_WIRE',
          number: 1,
        },
      ],
    },
  ],
  service: [
    {
      name: 'Echo',
      method: [
        { name: 'Say', inputType: '.echo.v1.SayRequest', outputType: '.echo.v1.SayReply' },
        { name: 'Watch', inputType: '.echo.v1.SayRequest', outputType: '.echo.v1.SayReply', serverStreaming: true },
      ],
    },
  ],
}

const rpcFile = {
  name: 'google/rpc/error_details.proto',
  package: 'google.rpc',
  dependency: ['google/protobuf/any.proto', 'google/protobuf/duration.proto'],
  syntax: 'proto3',
  messageType: [
    message('Status', [
      ['code', 1, 'int32'],
      ['message', 2, 'string'],
      ['details', 3, '.google.protobuf.Any', 'LABEL_REPEATED'],
    ]),
    message('RetryInfo', [['retry_delay', 1, '.google.protobuf.Duration']]),
    message('BadRequest', [['field_violations', 1, '.google.rpc.BadRequest.FieldViolation', 'LABEL_REPEATED']], {
      nestedType: [
        message('FieldViolation', [
          ['field', 1, 'string'],
          ['description', 2, 'string'],
        ]),
      ],
    }),
  ],
}

const set = fromJson(FileDescriptorSetSchema, { file: [rpcFile, echoFile] } as never)

/** The set in base64, without the files that come with every library: the task has to know those. */
export const ECHO_DESCRIPTORS = base64Encode(toBinary(FileDescriptorSetSchema, set))

/** The set with its imports, as a server of another library needs it. */
export function wholeDescriptors(): Uint8Array {
  const files = [...echoRegistry.files].map(({ proto }) => proto)
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: files }))
}

export const echoRegistry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [file_google_protobuf_timestamp, file_google_protobuf_any, file_google_protobuf_duration]
      .map(({ proto }) => proto)
      .concat(set.file),
  }),
)

export const SAY = { service: 'echo.v1.Echo', method: 'Say', descriptors: ECHO_DESCRIPTORS }

export function messageType(name: string): DescMessage {
  return echoRegistry.getMessage(name)!
}

export function replyBytes(json: Json): Uint8Array<ArrayBuffer> {
  const type = messageType('echo.v1.SayReply')
  return toBinary(type, fromJson(type, json as never, { registry: echoRegistry })) as Uint8Array<ArrayBuffer>
}

/** What a SayReply is as output when it holds nothing. */
export const EMPTY_REPLY = {
  text: '',
  big: '0',
  raw: '',
  kind: 'KIND_UNSPECIFIED',
  tags: [],
  count: 0,
  seen: {},
  many: [],
}

export function requestOf(bytes: Uint8Array): Record<string, unknown> {
  return fromBinary(messageType('echo.v1.SayRequest'), bytes) as unknown as Record<string, unknown>
}
