# SHA-256 is the interpreter's own; MD5 and SHA-1, for those who need them still, are written out.

from uhashlib import sha256 as _native


def _sha256(data):
    return _native(data).digest()


def _padded(data, order):
    bits = len(data) * 8
    return data + b"\x80" + b"\x00" * ((55 - len(data)) % 64) + bits.to_bytes(8, order)


def _md5(data):
    from math import sin

    table = [int(abs(sin(i + 1)) * 4294967296) for i in range(64)]
    turns = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    data = _padded(data, "little")
    for at in range(0, len(data), 64):
        words = [int.from_bytes(data[i : i + 4], "little") for i in range(at, at + 64, 4)]
        a, b, c, d = state
        for i in range(64):
            part = i >> 4
            if part == 0:
                mixed, word = d ^ (b & (c ^ d)), i
            elif part == 1:
                mixed, word = c ^ (d & (b ^ c)), (5 * i + 1) & 15
            elif part == 2:
                mixed, word = b ^ c ^ d, (3 * i + 5) & 15
            else:
                mixed, word = c ^ (b | (~d & 0xFFFFFFFF)), 7 * i & 15
            mixed = (a + mixed + table[i] + words[word]) & 0xFFFFFFFF
            turn = turns[part][i & 3]
            a, d, c, b = d, c, b, (b + (mixed << turn | mixed >> 32 - turn)) & 0xFFFFFFFF
        state = [(x + y) & 0xFFFFFFFF for x, y in zip(state, (a, b, c, d))]
    return b"".join([x.to_bytes(4, "little") for x in state])


def _sha1(data):
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0]
    data = _padded(data, "big")
    for at in range(0, len(data), 64):
        words = [int.from_bytes(data[i : i + 4], "big") for i in range(at, at + 64, 4)]
        for i in range(16, 80):
            x = words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16]
            words.append((x << 1 | x >> 31) & 0xFFFFFFFF)
        a, b, c, d, e = state
        for i in range(80):
            if i < 20:
                mixed, key = d ^ (b & (c ^ d)), 0x5A827999
            elif i < 40:
                mixed, key = b ^ c ^ d, 0x6ED9EBA1
            elif i < 60:
                mixed, key = (b & c) | (d & (b | c)), 0x8F1BBCDC
            else:
                mixed, key = b ^ c ^ d, 0xCA62C1D6
            turned = (a << 5 | a >> 27) & 0xFFFFFFFF
            a, b, c, d, e = (turned + mixed + e + key + words[i]) & 0xFFFFFFFF, a, (b << 30 | b >> 2) & 0xFFFFFFFF, c, d
        state = [(x + y) & 0xFFFFFFFF for x, y in zip(state, (a, b, c, d, e))]
    return b"".join([x.to_bytes(4, "big") for x in state])


_KINDS = {"md5": (_md5, 16), "sha1": (_sha1, 20), "sha256": (_sha256, 32)}
algorithms_available = set(_KINDS)
algorithms_guaranteed = set(_KINDS)


class _Hash:
    block_size = 64

    def __init__(self, name, data=b""):
        self.name = name
        self._compute, self.digest_size = _KINDS[name]
        self._data = b""
        self.update(data)

    def update(self, data):
        if isinstance(data, str):
            raise TypeError("Strings must be encoded before hashing")
        self._data += bytes(data)

    def digest(self):
        return self._compute(self._data)

    def hexdigest(self):
        return self.digest().hex()

    def copy(self):
        return _Hash(self.name, self._data)


def new(name, data=b"", **_):
    name = name.lower()
    if name not in _KINDS:
        raise ValueError("unsupported hash type " + name)
    return _Hash(name, data)


def md5(string=b"", **_):
    return _Hash("md5", string)


def sha1(string=b"", **_):
    return _Hash("sha1", string)


def sha256(string=b"", **_):
    return _Hash("sha256", string)
