# Methods of built-in types that the interpreter lacks. Loaded where a script names one of them (python-modules.ts). Letters are
# those of ASCII to the interpreter; so they are here.

import _patch


def _is_letter(ch):
    return "a" <= ch <= "z" or "A" <= ch <= "Z"


def _is_digit(ch):
    return "0" <= ch <= "9"


def _all(text, test):
    for ch in text:
        if not test(ch):
            return False
    return text != ""


def _swapped(ch):
    return ch.upper() if ch.islower() else ch.lower()


def _capitalize(self):
    return self[:1].upper() + self[1:].lower()


def _title(self):
    made = []
    inside = False
    for ch in self:
        made.append(ch.lower() if inside else ch.upper())
        inside = _is_letter(ch) or ord(ch) > 127
    return "".join(made)


def _istitle(self):
    return any(_is_letter(ch) for ch in self) and _title(self) == self


def _padding(self, width, fill):
    if len(fill) != 1:
        raise TypeError("The fill character must be exactly one character long")
    return fill * (width - len(self))


def _ljust(self, width, fillchar=" "):
    return self + _padding(self, width, fillchar)


def _rjust(self, width, fillchar=" "):
    return _padding(self, width, fillchar) + self


def _center(self, width, fillchar=" "):
    padding = _padding(self, width, fillchar)
    count = len(padding)
    left = count // 2 + (count & width & 1)
    return padding[:left] + self + padding[left:]


def _zfill(self, width):
    sign = self[:1] if self[:1] in ("+", "-") else ""
    return sign + "0" * (width - len(self)) + self[len(sign) :]


def _expandtabs(self, tabsize=8):
    made = []
    column = 0
    for ch in self:
        if ch == "\t":
            count = tabsize - column % tabsize if tabsize > 0 else 0
            made.append(" " * count)
            column += count
        else:
            made.append(ch)
            column = 0 if ch in "\n\r" else column + 1
    return "".join(made)


def _removeprefix(self, prefix):
    return self[len(prefix) :] if self.startswith(prefix) else self


def _removesuffix(self, suffix):
    return self[: len(self) - len(suffix)] if suffix and self.endswith(suffix) else self


def _translate(self, table):
    made = []
    for ch in self:
        try:
            to = table[ord(ch)]
        except LookupError:
            to = ch
        if to is not None:
            made.append(chr(to) if isinstance(to, int) else to)
    return "".join(made)


def _maketrans(x, y=None, z=None):
    if y is None:
        return {ord(key) if isinstance(key, str) else key: value for key, value in x.items()}
    if len(x) != len(y):
        raise ValueError("the first two maketrans arguments must have equal length")
    table = {ord(a): ord(b) for a, b in zip(x, y)}
    for ch in z or "":
        table[ord(ch)] = None
    return table


def _isidentifier(self):
    return self != "" and not _is_digit(self[0]) and all(ch == "_" or _is_letter(ch) or _is_digit(ch) or ord(ch) > 127 for ch in self)


STR = {
    "capitalize": _capitalize,
    "casefold": lambda self: self.lower(),
    "center": _center,
    "expandtabs": _expandtabs,
    "format_map": lambda self, mapping: self.format(**dict(mapping.items())),
    "isalnum": lambda self: _all(self, lambda ch: _is_letter(ch) or _is_digit(ch)),
    "isascii": lambda self: len(self) == len(self.encode()),
    "isdecimal": lambda self: _all(self, _is_digit),
    "isidentifier": _isidentifier,
    "isnumeric": lambda self: _all(self, _is_digit),
    "isprintable": lambda self: all(32 <= ord(ch) != 127 for ch in self),
    "istitle": _istitle,
    "ljust": _ljust,
    "maketrans": staticmethod(_maketrans),
    "removeprefix": _removeprefix,
    "removesuffix": _removesuffix,
    "rjust": _rjust,
    "swapcase": lambda self: "".join([_swapped(ch) for ch in self]),
    "title": _title,
    "translate": _translate,
    "zfill": _zfill,
}


_patch.extend(str, STR)
_patch.extend(
    int,
    {
        "bit_length": lambda self: len(bin(abs(self))) - 2 if self else 0,
        "bit_count": lambda self: bin(abs(self)).count("1"),
        "conjugate": lambda self: self,
        "as_integer_ratio": lambda self: (self, 1),
    },
)
