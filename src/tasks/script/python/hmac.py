import hashlib


class HMAC:
    def __init__(self, key, msg=None, digestmod=""):
        if isinstance(key, str):
            raise TypeError("key: expected bytes or bytearray, but got 'str'")
        if not digestmod:
            raise TypeError("Missing required argument 'digestmod'.")
        self._kind = digestmod if callable(digestmod) else lambda data=b"": hashlib.new(digestmod, data)
        inner = self._kind()
        if len(key) > inner.block_size:
            key = self._kind(bytes(key)).digest()
        key = bytes(key) + b"\x00" * (inner.block_size - len(key))
        self.name = "hmac-" + inner.name
        self.digest_size = inner.digest_size
        self.block_size = inner.block_size
        self._inner = self._kind(bytes([x ^ 0x36 for x in key]))
        self._outer = bytes([x ^ 0x5C for x in key])
        if msg is not None:
            self.update(msg)

    def update(self, msg):
        self._inner.update(msg)

    def digest(self):
        return self._kind(self._outer + self._inner.digest()).digest()

    def hexdigest(self):
        return self.digest().hex()


def new(key, msg=None, digestmod=""):
    return HMAC(key, msg, digestmod)


def digest(key, msg, digest):
    return HMAC(key, msg, digest).digest()


def compare_digest(a, b):
    if type(a) is not type(b):
        raise TypeError("unsupported operand types(s) or combination of types")
    a = a.encode() if isinstance(a, str) else a
    b = b.encode() if isinstance(b, str) else b
    differs = len(a) != len(b)
    for x, y in zip(a, b):
        differs |= x != y
    return not differs
