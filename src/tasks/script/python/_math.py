# The interpreter finds its own `math` before any file, so `import math` is led here (_builtins.py).

from _builtins import native_import

_native = native_import("math")
for _name in dir(_native):
    if _name[:1] != "_":
        globals()[_name] = getattr(_native, _name)
_isfinite = isfinite
_log = log
_sqrt = sqrt


def prod(iterable, *, start=1):
    for item in iterable:
        start = start * item
    return start


def _whole(n, what):
    if isinstance(n, float) or not isinstance(n, int):
        raise TypeError(repr(type(n).__name__) + " object cannot be interpreted as an integer")
    if n < 0:
        raise ValueError(what + " must be a non-negative integer")
    return n


def comb(n, k):
    _whole(n, "n")
    _whole(k, "k")
    if k > n:
        return 0
    result = 1
    for i in range(min(k, n - k)):
        result = result * (n - i) // (i + 1)
    return result


def perm(n, k=None):
    _whole(n, "n")
    result = 1
    for i in range(n if k is None else _whole(k, "k")):
        if i >= n:
            return 0
        result *= n - i
    return result


def factorial(n):
    return perm(n)


def gcd(*integers):
    result = 0
    for n in integers:
        _whole(abs(n), "n")
        a = abs(n)
        while a:
            result, a = a, result % a
    return result


def lcm(*integers):
    result = 1
    for n in integers:
        if n == 0:
            return 0
        result = result // gcd(result, n) * abs(n)
    return result


def isqrt(n):
    _whole(n, "isqrt() argument")
    if n == 0:
        return 0
    bits = len(bin(n)) - 2
    x = 1 << (bits + 1) // 2
    while True:
        y = (x + n // x) // 2
        if y >= x:
            return x
        x = y


def hypot(*coordinates):
    values = [abs(float(x)) for x in coordinates]
    if inf in values:
        return inf
    largest = max(values) if values else 0.0
    if largest == 0.0 or largest != largest:
        return largest
    if len(values) == 1:
        return largest
    # By a power of two, so that nothing is rounded on the way.
    _, power = frexp(largest)
    scaled = [ldexp(x, -power) for x in values]
    return ldexp(_sqrt(fsum(x * x for x in scaled)), power)


def dist(p, q):
    p = tuple(p)
    q = tuple(q)
    if len(p) != len(q):
        raise ValueError("both points must have the same number of dimensions")
    return hypot(*[a - b for a, b in zip(p, q)])


def fsum(iterable):
    # What rounding loses of each addition is kept as further summands that do not overlap, and added last.
    parts = []
    special = 0.0
    for x in iterable:
        if isinstance(x, (str, bytes)):
            raise TypeError("must be real number, not " + type(x).__name__)
        x = float(x)
        if not _isfinite(x):
            special += x
            continue
        kept = 0
        for y in parts:
            if abs(x) < abs(y):
                x, y = y, x
            high = x + y
            low = y - (high - x)
            if low:
                parts[kept] = low
                kept += 1
            x = high
        if not _isfinite(x):
            raise OverflowError("intermediate overflow in fsum")
        parts[kept:] = [x]
    if special:
        if special != special:
            raise ValueError("-inf + inf in fsum")
        return special
    total = 0.0
    low = 0.0
    while parts:
        x = total
        y = parts.pop()
        total = x + y
        low = y - (total - x)
        if low:
            break
    # Halfway between two: what is left decides the direction.
    if parts and ((low < 0 and parts[-1] < 0) or (low > 0 and parts[-1] > 0)):
        y = low * 2
        x = total + y
        if y == x - total:
            total = x
    return total


def sumprod(p, q):
    p = list(p)
    q = list(q)
    if len(p) != len(q):
        raise ValueError("Inputs are not the same length")
    total = 0
    for a, b in zip(p, q):
        total += a * b
    return total if isinstance(total, int) else fsum(a * b for a, b in zip(p, q))


def cbrt(x):
    root = copysign(abs(x) ** (1 / 3), x)
    return root - (root * root * root - x) / (3 * root * root) if root and _isfinite(root) else root


def exp2(x):
    return 2.0**x


def remainder(x, y):
    if y == 0 or isinf(x):
        raise ValueError("math domain error")
    if isinf(y):
        return x
    y = abs(y)
    rest = fmod(abs(x), y)
    other = y - rest
    if rest > other or (rest == other and fmod(0.5 * (abs(x) - rest), y) != 0):
        rest = -other
    return copysign(1.0, x) * rest


def log(x, *base):
    # Integers beyond what a float holds have logarithms too.
    if isinstance(x, int) and x > 1 << 1000:
        shift = len(bin(x)) - 1002
        value = _log(x >> shift) + shift * _log(2)
    else:
        value = _log(x)
    return value / log(base[0]) if base else value


def nextafter(x, y):
    import struct

    if x != x or y != y:
        return nan
    if x == y:
        return y
    if x == 0:
        return copysign(5e-324, y)
    bits = struct.unpack("<q", struct.pack("<d", x))[0]
    return struct.unpack("<d", struct.pack("<q", bits + (1 if (y > x) == (x > 0) else -1)))[0]


def ulp(x):
    return abs(x) if not _isfinite(x) else nextafter(abs(x), inf) - abs(x)


def log1p(x):
    if x <= -1:
        raise ValueError("math domain error")
    above = 1.0 + x
    return x if above == 1.0 or above == inf else _log(above) * x / (above - 1.0)
