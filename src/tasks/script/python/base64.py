from ubinascii import a2b_base64, b2a_base64, hexlify, unhexlify

_B32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="


def _bytes(s):
    if isinstance(s, str):
        try:
            if len(s.encode()) == len(s):
                return s.encode()
        except UnicodeError:
            pass
        raise ValueError("string argument should contain only ASCII characters")
    return bytes(s)


def _replaced(data, pairs):
    return bytes([pairs.get(code, code) for code in data])


def b64encode(s, altchars=None):
    if isinstance(s, str):
        raise TypeError("a bytes-like object is required, not 'str'")
    encoded = b2a_base64(s)[:-1]
    return encoded if altchars is None else _replaced(encoded, {43: altchars[0], 47: altchars[1]})


def b64decode(s, altchars=None, validate=False):
    data = _bytes(s)
    if altchars is not None:
        altchars = _bytes(altchars)
        data = _replaced(data, {altchars[0]: 43, altchars[1]: 47})
    if validate:
        for code in data:
            if code not in _ALPHABET:
                raise ValueError("Only base64 data is allowed")
    else:
        data = bytes([code for code in data if code in _ALPHABET])
    if len(data.rstrip(b"=")) % 4 == 1 or (len(data) % 4 and not data.rstrip(b"=") == b""):
        raise ValueError("Incorrect padding")
    return a2b_base64(data)


def standard_b64encode(s):
    return b64encode(s)


def standard_b64decode(s):
    return b64decode(s)


def urlsafe_b64encode(s):
    return b64encode(s, b"-_")


def urlsafe_b64decode(s):
    return b64decode(s, b"-_")


def encodebytes(s):
    return b"".join([b2a_base64(s[at : at + 57]) for at in range(0, len(s), 57)])


def decodebytes(s):
    return b64decode(s)


def b32encode(s):
    s = bytes(s)
    made = []
    for at in range(0, len(s), 5):
        part = s[at : at + 5]
        number = int.from_bytes(part + b"\x00" * (5 - len(part)), "big")
        count = (len(part) * 8 + 4) // 5
        made.append(bytes([_B32[number >> shift & 31] for shift in range(35, 35 - 5 * count, -5)]) + b"=" * (8 - count))
    return b"".join(made)


def b32decode(s, casefold=False, map01=None):
    data = _bytes(s)
    if casefold:
        data = data.upper()
    if len(data) % 8:
        raise ValueError("Incorrect padding")
    made = []
    for at in range(0, len(data), 8):
        part = data[at : at + 8].rstrip(b"=")
        if len(part) not in (2, 4, 5, 7, 8):
            raise ValueError("Incorrect padding")
        number = 0
        for code in part:
            value = _B32.find(bytes([code]))
            if value < 0:
                raise ValueError("Non-base32 digit found")
            number = number << 5 | value
        made.append((number << 5 * (8 - len(part))).to_bytes(5, "big")[: len(part) * 5 // 8])
    return b"".join(made)


def b16encode(s):
    return hexlify(s).upper()


def b16decode(s, casefold=False):
    data = _bytes(s)
    if not casefold and data != data.upper():
        raise ValueError("Non-base16 digit found")
    return unhexlify(data)
