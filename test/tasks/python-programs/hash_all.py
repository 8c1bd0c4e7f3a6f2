import base64
import binascii
import hashlib
import hmac
import struct


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def main(input):
    texts = [b"", b"a", b"abc" * 30, bytes(range(256)), b"x" * 55, b"x" * 56, b"x" * 64]
    h = hashlib.sha256(b"a")
    h.update(b"b")
    c = h.copy()
    c.update(b"c")
    return [
        [[hashlib.md5(t).hexdigest(), hashlib.sha1(t).hexdigest(), hashlib.sha256(t).hexdigest()] for t in texts],
        h.hexdigest(), c.hexdigest(), h.digest().hex(), hashlib.new("sha256", b"q").hexdigest(), h.name, h.digest_size, h.block_size,
        outcome(lambda: hashlib.sha256("text")), outcome(lambda: hashlib.new("nope")),
        hmac.new(b"key", b"message", hashlib.sha256).hexdigest(), hmac.new(b"k" * 100, b"m", "sha1").hexdigest(), hmac.compare_digest("a", "a"), hmac.compare_digest(b"a", b"b"), hmac.digest(b"k", b"m", "sha256").hex(), outcome(lambda: hmac.new("k", b"m", "sha256")),
        base64.b64encode(b"hello\xff").decode(), base64.b64decode("aGVsbG8=").decode(), base64.urlsafe_b64encode(b"\xfb\xff").decode(), base64.urlsafe_b64decode("-_8=").hex(), base64.b32encode(b"hi").decode(), base64.b16encode(b"hi").decode(),
        base64.b32decode("NBUQ====").decode(), [base64.b32decode(base64.b32encode(t[:n])).hex() for t in texts[2:4] for n in range(1, 9)], [base64.b64decode(base64.b64encode(t)) == t for t in texts], base64.b64decode("aGV s\nbG8=").decode(), base64.b16decode("6869").decode(), base64.encodebytes(b"x" * 70).decode(), [outcome(lambda: base64.b64decode(t)) in ("! Error", "! ValueError") for t in ("a", "abc", "YQ")], outcome(lambda: base64.b64encode("text")),
        binascii.hexlify(b"ab").decode(), binascii.unhexlify("6162").decode(), binascii.crc32(b"abc"), struct.pack("<IhB", 1, -2, 3).hex(), list(struct.unpack(">Hd", b"\x00\x05" + struct.pack(">d", 1.5))), struct.calcsize("<iq"),
    ]
