# What is amended before each script: sorting that is stable and never quadratic, names that are missing, imports that are refused.

import builtins
import sys

import _patch

_native_sorted = sorted
native_import = __import__

_REFUSED = ("js", "jsffi", "asyncio", "_asyncio", "uctypes", "select", "vfs", "framebuf")


def _spread(items):
    # The interpreter's sort is quadratic on what is sorted already: equal steps through the items leave no such order.
    count = len(items)
    step = count * 5 // 8 | 1
    while True:
        a, b = count, step
        while b:
            a, b = b, a % b
        if a == 1:
            break
        step += 2
    at = 0
    spread = []
    for _ in range(count):
        spread.append(items[at])
        at = (at + step) % count
    return spread


def sorted(iterable, *, key=None, reverse=False):
    items = list(iterable)
    count = len(items)
    if count < 2:
        return items
    reverse = bool(reverse)
    if key is None and type(items[0]) in (str, int, float) and len(set(map(type, items))) == 1:
        return _native_sorted(items if count < 32 else _spread(items), reverse=reverse)
    keys = items if key is None else list(map(key, items))
    if type(keys[0]) not in _ORDERED:
        return _merged(keys, items, reverse)
    # What orders an item, its place, the item: equal ones keep their places, and items themselves are never compared.
    places = range(0, -count, -1) if reverse else range(count)
    rows = list(zip(keys, places, items))
    return [row[2] for row in _native_sorted(rows if count < 32 else _spread(rows), reverse=reverse)]


_ORDERED = (int, float, str, bool, bytes, tuple, list)


def _merged(keys, items, reverse):
    # By `<` alone, which is all that objects need to have.
    runs = [[row] for row in zip(keys, items)]
    if reverse:
        runs.reverse()
    while len(runs) > 1:
        longer = []
        for at in range(0, len(runs) - 1, 2):
            a, b = runs[at], runs[at + 1]
            i = j = 0
            run = []
            while i < len(a) and j < len(b):
                if b[j][0] < a[i][0]:
                    run.append(b[j])
                    j += 1
                else:
                    run.append(a[i])
                    i += 1
            longer.append(run + a[i:] + b[j:])
        if len(runs) % 2:
            longer.append(runs[-1])
        runs = longer
    made = [row[1] for row in runs[0]]
    if reverse:
        made.reverse()
    return made


def _sort(self, *, key=None, reverse=False):
    self[:] = sorted(self, key=key, reverse=reverse)


def _import(name, *rest):
    if name.split(".")[0] in _REFUSED:
        raise ImportError("no module named " + repr(name))
    return native_import("_math" if name == "math" else name, *rest)


def vars(*of):
    if not of:
        raise TypeError("vars() needs an object here; for names in scope there are locals() and globals()")
    return of[0].__dict__


def format(value, spec=""):
    return ("{:" + spec + "}").format(value)


def ascii(value):
    return "".join(ch if ord(ch) < 128 else _escaped(ord(ch)) for ch in repr(value))


def _escaped(code):
    if code < 256:
        return "\\x%02x" % code
    return "\\u%04x" % code if code < 65536 else "\\U%08x" % code


def input(prompt=""):
    raise EOFError("a script has no standard input; its input is the argument of main")


_native_round = round


def round(number, ndigits=None):
    if ndigits is None or type(number) is not float or number - number != 0:
        return _native_round(number) if ndigits is None else number if type(number) is float else _native_round(number, ndigits)
    # The exact value decides, not that of a product that has been rounded itself.
    part, power = _frexp(number)
    above = int(part * 9007199254740992)
    power -= 53
    below = 1
    if power > 0:
        above <<= power
    else:
        below <<= -power
    scale = 10 ** abs(ndigits)
    if ndigits > 0:
        above *= scale
    else:
        below *= scale
    whole, rest = divmod(above, below)
    if rest * 2 > below or (rest * 2 == below and whole & 1):
        whole += 1
    if ndigits > 0:
        return number if abs(whole) >= 9007199254740992 or ndigits > 22 else whole / scale if whole else number * 0.0
    return float(whole * scale)


_frexp = native_import("math").frexp

builtins.round = round
builtins.sorted = sorted
builtins.vars = vars
builtins.format = format
builtins.ascii = ascii
builtins.input = input
builtins.RecursionError = RuntimeError
builtins.ModuleNotFoundError = ImportError
builtins.UnicodeDecodeError = builtins.UnicodeEncodeError = UnicodeError
builtins.FileNotFoundError = builtins.PermissionError = builtins.TimeoutError = builtins.IOError = OSError
builtins.ConnectionError = OSError
_patch.extend(list, {"sort": _sort})
builtins.__import__ = _import
