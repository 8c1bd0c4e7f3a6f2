from urandom import getrandbits as _bits


class UUID:
    def __init__(self, hex=None, bytes=None, int=None, version=None):
        if hex is not None:
            digits = hex.replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")
            if len(digits) != 32:
                raise ValueError("badly formed hexadecimal UUID string")
            int = _integer(digits)
        elif bytes is not None:
            if len(bytes) != 16:
                raise ValueError("bytes is not a 16-char string")
            int = _of_bytes(bytes)
        elif int is None:
            raise TypeError("one of the hex, bytes, or int arguments must be given")
        if not 0 <= int < 1 << 128:
            raise ValueError("int is out of range (need a 128-bit value)")
        if version is not None:
            if not 1 <= version <= 5:
                raise ValueError("illegal version number")
            int = int & ~(0xC000 << 48) | 0x8000 << 48
            int = int & ~(0xF000 << 64) | version << 76
        self.int = int

    @property
    def hex(self):
        return "%08x%08x%08x%08x" % tuple([self.int >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0)])

    @property
    def bytes(self):
        return self.int.to_bytes(16, "big")

    @property
    def urn(self):
        return "urn:uuid:" + str(self)

    @property
    def version(self):
        return self.int >> 76 & 15 if self.int >> 62 & 3 == 2 else None

    def __str__(self):
        digits = self.hex
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def __repr__(self):
        return "UUID(" + repr(str(self)) + ")"

    def __int__(self):
        return self.int

    def __hash__(self):
        return hash(self.hex)

    def __eq__(self, other):
        return isinstance(other, UUID) and self.int == other.int

    def __ne__(self, other):
        return not self == other

    def __lt__(self, other):
        return self.int < other.int

    def __le__(self, other):
        return self.int <= other.int

    def __gt__(self, other):
        return self.int > other.int

    def __ge__(self, other):
        return self.int >= other.int


def _integer(digits):
    return int(digits, 16)


def _of_bytes(given):
    return int.from_bytes(given, "big")


def uuid4():
    return UUID(bytes=bytes([_bits(8) for _ in range(16)]), version=4)


NAMESPACE_DNS = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
NAMESPACE_URL = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
NAMESPACE_OID = UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")
NAMESPACE_X500 = UUID("6ba7b814-9dad-11d1-80b4-00c04fd430c8")
