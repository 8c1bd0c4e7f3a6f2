# The interpreter's JSON writes what is none (nan, objects) and reads some that is none ([1,], 01): writing is checked here, and
# pairs of \u escapes are put together.

from ujson import dumps as _dumps, loads as _loads


class JSONDecodeError(ValueError):
    def __init__(self, msg, doc, pos):
        self.msg = msg
        self.doc = doc
        self.pos = pos
        before = doc[:pos]
        self.lineno = before.count("\n") + 1
        self.colno = pos - before.rfind("\n")
        super().__init__("%s: line %d column %d (char %d)" % (msg, self.lineno, self.colno, pos))


_INF = float("inf")


def _text(text):
    # As JSON.
    if "\b" in text or "\f" in text:
        return '"' + "\\b".join(["\\f".join([_dumps(part)[1:-1] for part in one.split("\f")]) for one in text.split("\b")]) + '"'
    return _dumps(text)


def _escaped(text):
    # As JSON, in ASCII.
    text = _text(text)
    if len(text) == len(text.encode()) and "\x7f" not in text:
        return text
    made = []
    for ch in text:
        code = ord(ch)
        if code > 65535:
            code -= 65536
            ch = "\\u%04x\\u%04x" % (0xD800 | code >> 10, 0xDC00 | code & 1023)
        elif code > 126:
            ch = "\\u%04x" % code
        made.append(ch)
    return "".join(made)


class _Writer:
    def __init__(self, skipkeys, ensure_ascii, allow_nan, indent, separators, default, sort_keys):
        self.skipkeys = skipkeys
        self.text = _escaped if ensure_ascii else _text
        self.allow_nan = allow_nan
        self.indent = " " * indent if isinstance(indent, int) and not isinstance(indent, bool) else indent
        comma, self.colon = separators or ((", " if indent is None else ","), ": ")
        self.comma = comma
        self.default = default
        self.sort_keys = sort_keys
        self.above = []

    def write(self, value, level, out):
        kind = type(value)
        if kind is str:
            out.append(self.text(value))
        elif value is None:
            out.append("null")
        elif value is True:
            out.append("true")
        elif value is False:
            out.append("false")
        elif kind is int:
            out.append(str(value))
        elif kind is float:
            out.append(self.number(value))
        elif isinstance(value, (list, tuple)):
            self.many(value, "[]", level, out, self.item)
        elif isinstance(value, dict):
            items = value.items()
            self.many(sorted(items, key=_first) if self.sort_keys else items, "{}", level, out, self.member)
        elif isinstance(value, str):
            out.append(self.text(str(value)))
        elif isinstance(value, int):
            out.append(str(int(value)))
        elif isinstance(value, float):
            out.append(self.number(float(value)))
        elif self.default is not None:
            self.enter(value)
            self.write(self.default(value), level, out)
            self.above.pop()
        else:
            raise TypeError("Object of type " + kind.__name__ + " is not JSON serializable")

    def number(self, value):
        if value != value or value == _INF or value == -_INF:
            if not self.allow_nan:
                raise ValueError("Out of range float values are not JSON compliant: " + repr(value))
            return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        return repr(value)

    def enter(self, value):
        for one in self.above:
            if one is value:
                raise ValueError("Circular reference detected")
        self.above.append(value)

    def many(self, values, brackets, level, out, write):
        count = 0
        self.enter(values)
        if self.indent is None:
            between = self.comma
            begin = end = ""
        else:
            end = "\n" + self.indent * level
            begin = end + self.indent
            between = self.comma + begin
        for one in values:
            at = len(out)
            out.append(between if count else brackets[0] + begin)
            if write(one, level + 1, out) is False:
                del out[at:]
            else:
                count += 1
        out.append(end + brackets[1] if count else brackets)
        self.above.pop()

    def item(self, value, level, out):
        self.write(value, level, out)

    def member(self, pair, level, out):
        key, value = pair
        if isinstance(key, str):
            key = str(key)
        elif key is None or key is True or key is False:
            key = "null" if key is None else "true" if key else "false"
        elif isinstance(key, int):
            key = str(int(key))
        elif isinstance(key, float):
            key = self.number(float(key))
        elif self.skipkeys:
            return False
        else:
            raise TypeError("keys must be str, int, float, bool or None, not " + type(key).__name__)
        out.append(self.text(key))
        out.append(self.colon)
        self.write(value, level, out)


def _first(pair):
    return pair[0]


def dumps(
    obj, *, skipkeys=False, ensure_ascii=True, check_circular=True, allow_nan=True, cls=None, indent=None, separators=None,
    default=None, sort_keys=False
):
    if cls is not None:
        default = cls().default
    out = []
    _Writer(skipkeys, ensure_ascii, allow_nan, indent, separators, default, sort_keys).write(obj, 0, out)
    return "".join(out)


def dump(obj, fp, **named):
    fp.write(dumps(obj, **named))


class JSONEncoder:
    def __init__(self, **named):
        self._named = named

    def default(self, o):
        raise TypeError("Object of type " + type(o).__name__ + " is not JSON serializable")

    def encode(self, o):
        return dumps(o, default=self.default, **self._named)


def _paired(text):
    # Two escapes that are one character, as that character.
    parts = text.split("\\u")
    made = [parts[0]]
    high = 0
    for at in range(1, len(parts)):
        part = parts[at]
        is_escaped = (len(parts[at - 1]) - len(parts[at - 1].rstrip("\\"))) % 2 == 1
        try:
            code = -1 if is_escaped else int(part[:4], 16)
        except ValueError:
            code = -1
        if high and 0xDC00 <= code < 0xE000:
            made[-1] = chr(0x10000 + ((high & 1023) << 10) + (code & 1023)) + part[4:]
            high = 0
            continue
        high = code if 0xD800 <= code < 0xDC00 and len(part) == 4 else 0
        made.append("\\u" + part)
    return "".join(made)


def loads(s, *, cls=None, object_hook=None, parse_float=None, parse_int=None, parse_constant=None, object_pairs_hook=None):
    if isinstance(s, (bytes, bytearray)):
        s = s.decode()
    if not isinstance(s, str):
        raise TypeError("the JSON object must be str, bytes or bytearray, not " + type(s).__name__)
    if "\\ud8" in s or "\\ud9" in s or "\\uda" in s or "\\udb" in s or "\\uD" in s:
        s = _paired(s)
    try:
        value = _loads(s)
    except ValueError:
        raise JSONDecodeError("Expecting value" if not s.strip() else "Invalid JSON", s, 0)
    if object_pairs_hook is not None:
        return _hooked(value, lambda found: object_pairs_hook(list(found.items())))
    return value if object_hook is None else _hooked(value, object_hook)


def _hooked(value, hook):
    if isinstance(value, list):
        return [_hooked(one, hook) for one in value]
    if isinstance(value, dict):
        return hook({key: _hooked(one, hook) for key, one in value.items()})
    return value


def load(fp, **named):
    return loads(fp.read(), **named)
