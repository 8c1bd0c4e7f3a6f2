"""A gRPC server of another make than what is tested: Google's C core, as Debian packages it (python3-grpcio).

Reads a FileDescriptorSet with echo.v1.Echo on standard input, serves it without TLS on a free port of 127.0.0.1,
and prints that port.
"""

import sys
import time
from concurrent import futures

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory

pool = descriptor_pool.DescriptorPool()
files = {}
for file in descriptor_pb2.FileDescriptorSet.FromString(sys.stdin.buffer.read()).file:
    pool.Add(file)
    files[file.name] = file


def type_of(name):
    descriptor = pool.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


Request = type_of("echo.v1.SayRequest")
Reply = type_of("echo.v1.SayReply")
Status = type_of("google.rpc.Status")
BadRequest = type_of("google.rpc.BadRequest")
RetryInfo = type_of("google.rpc.RetryInfo")


def packed(message):
    any = any_pb2.Any()
    any.type_url = "type.googleapis.com/" + message.DESCRIPTOR.full_name
    any.value = message.SerializeToString()
    return any.SerializeToString()


def details_of(request):
    """google.rpc.Status with what an API of Google's would add."""
    status = Status(code=request.status, message=request.reason)
    details = []
    if request.retry_ms:
        details.append(packed(RetryInfo(retry_delay={"nanos": request.retry_ms * 1_000_000})))
    else:
        details.append(packed(BadRequest(field_violations=[{"field": "text", "description": "is bad"}])))
    return b"".join([status.SerializeToString()] + [bytes([0x1A, len(detail)]) + detail for detail in details])


def say(request, context):
    metadata = list(context.invocation_metadata())
    context.send_initial_metadata([("x-answer", "yes"), ("x-raw-bin", bytes([0, 255, 7]))])
    trailers = [("x-late", "a"), ("x-late", "b")]
    time.sleep(request.delay_ms / 1000)
    if request.status:
        trailers.append(("grpc-status-details-bin", details_of(request)))
        context.set_trailing_metadata(trailers)
        context.set_code(next(code for code in grpc.StatusCode if code.value[0] == request.status))
        context.set_details(request.reason)
        return Reply()
    context.set_trailing_metadata(trailers)
    reply = Reply(
        text="x" * request.length or request.text,
        big=request.big,
        raw=request.raw,
        kind=request.kind,
        tags=request.tags,
        count=len(request.text),
    )
    if request.HasField("at"):
        reply.at.CopyFrom(request.at)
    for name, value in metadata:
        reply.seen[name] = value if isinstance(value, str) else "bytes " + value.hex()
    remaining = context.time_remaining()
    if remaining is not None:
        reply.seen["deadline"] = str(round(remaining * 1000))
    return reply


handler = grpc.method_handlers_generic_handler(
    "echo.v1.Echo",
    {
        "Say": grpc.unary_unary_rpc_method_handler(
            say, request_deserializer=Request.FromString, response_serializer=Reply.SerializeToString
        )
    },
)

def field(number, value):
    """A field of bytes, by hand: the package with the messages of reflection is not part of Debian's."""
    length = len(value)
    return bytes([number << 3 | 2, length & 127 | 128, length >> 7 & 127 | 128, length >> 14]) + value


def reflect(requests, context):
    for request in requests:
        by, name = request[0] >> 3, request[2:].decode()
        if by == 4 and name == "echo.v1.Echo":
            name = "echo/v1/echo.proto"
        if name in files:
            yield field(4, field(1, files[name].SerializeToString()))
        else:
            yield field(7, bytes([8, 5]) + field(2, b"Symbol not found: " + name.encode()))


# The older version alone, as servers of the C core have it: clients have to look for the newer one first.
reflection = grpc.method_handlers_generic_handler(
    "grpc.reflection.v1alpha.ServerReflection",
    {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(reflect)},
)

server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.max_send_message_length", -1)])
server.add_generic_rpc_handlers((handler, reflection))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
server.wait_for_termination()
