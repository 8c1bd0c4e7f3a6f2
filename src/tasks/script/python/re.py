# Regular expressions as CPython has them: a backtracking machine with its own stack, since the interpreter's engine knows neither
# counted repetition nor named groups nor look-around, and recurses for each character.

from array import array as _array

NOFLAG = 0
I = IGNORECASE = 2
L = LOCALE = 4
M = MULTILINE = 8
S = DOTALL = 16
U = UNICODE = 32
X = VERBOSE = 64
A = ASCII = 256

_CHAR, _SET, _STR, _RUN, _SPLIT, _JUMP, _SAVE, _MOVED, _AT, _LOOK, _BACK, _MATCH = range(12)
_MANY = 1 << 30
_MAX_STEPS = 50000


class error(Exception):
    def __init__(self, msg, pattern=None, pos=None):
        self.msg = msg
        self.pattern = pattern
        self.pos = pos
        super().__init__(msg if pos is None else msg + " at position " + str(pos))


PatternError = error


def _word(c):
    if c < 192:
        return c in (170, 178, 179, 181, 185, 186, 188, 189, 190)
    return c not in (215, 247) and not (
        0x2000 <= c < 0x2070
        or 0x20A0 <= c < 0x2100
        or 0x2190 <= c < 0x2460
        or 0x2500 <= c < 0x2776
        or 0x2794 <= c < 0x2C00
        or 0x2E00 <= c < 0x2E80
        or 0x3000 <= c < 0x3005
        or 0x3008 <= c < 0x3021
        or 0xD800 <= c < 0xF900
        or 0xFE00 <= c < 0xFE70
        or 0xFF00 <= c < 0xFF10
        or 0x1F000 <= c < 0x1FBF0
        or c >= 0xE0000
    )


def _space(c):
    return c in (133, 160, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000) or 0x2000 <= c <= 0x200A


def _never(c):
    return False


class _Set:
    # One character of many: a table for ASCII, predicates and ranges beyond.
    def __init__(self):
        self.table = bytearray(128)
        self.more = []

    def add(self, low, high):
        for c in range(low, min(high, 127) + 1):
            self.table[c] = 1
        if high > 127:
            self.more.append(lambda c: low <= c <= high)

    def add_kind(self, kind, ascii):
        low = kind.lower()
        one = _Set()
        if low == "d":
            one.add(48, 57)
            beyond = _never
        elif low == "s":
            one.add(9, 13)
            one.add(28 if not ascii else 32, 32)
            beyond = _space
        else:
            one.add(48, 57)
            one.add(65, 90)
            one.add(95, 95)
            one.add(97, 122)
            beyond = _word
        if ascii:
            beyond = _never
        negative = kind != low
        for c in range(128):
            if one.table[c] != negative:
                self.table[c] = 1
        self.more.append((lambda c: not beyond(c)) if negative else beyond)

    def ignore_case(self):
        table = self.table
        for c in range(65, 91):
            table[c] = table[c + 32] = table[c] | table[c + 32]

    def node(self, negative=False):
        more = self.more
        if negative:
            for c in range(128):
                self.table[c] = not self.table[c]
        if not more:
            beyond = (lambda c: True) if negative else _never
        elif len(more) == 1 and not negative:
            beyond = more[0]
        else:
            beyond = lambda c: any(one(c) for one in more) != negative
        return ("set", bytes(self.table), beyond)


_ESCAPES = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11, "a": 7, "\\": 92}
_HEX = {"x": 2, "u": 4, "U": 8}


class _Parser:
    # Nodes: ("char", code), ("set", table, beyond), ("seq", nodes), ("or", nodes), ("rep", node, least, most, is greedy),
    # ("group", number, node), ("at", kind), ("look", node, is behind, is negative), ("back", number)
    def __init__(self, pattern, flags):
        self.chars = list(pattern)
        self.pattern = pattern
        self.at = 0
        self.flags = flags
        self.groups = 0
        self.names = {}
        self.open = set()

    def fail(self, message, at=None):
        raise error(message, self.pattern, self.at if at is None else at)

    def peek(self):
        return self.chars[self.at] if self.at < len(self.chars) else ""

    def next(self):
        if self.at >= len(self.chars):
            self.fail("unexpected end of pattern")
        self.at += 1
        return self.chars[self.at - 1]

    def until(self, end, what):
        start = self.at
        while self.peek() != end:
            if not self.peek():
                self.fail("missing " + end + ", unterminated name", start)
            self.at += 1
        text = "".join(self.chars[start : self.at])
        self.at += 1
        if not text:
            self.fail("missing " + what, start)
        return text

    def alternatives(self):
        branches = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else ("or", branches)

    def sequence(self):
        nodes = []
        while True:
            ch = self.peek()
            if ch == "" or ch == "|" or ch == ")":
                return ("seq", nodes)
            start = self.at
            self.at += 1
            if self.flags & X:
                if ch in " \t\n\r\f\v":
                    continue
                if ch == "#":
                    while self.peek() not in ("", "\n"):
                        self.at += 1
                    continue
            if ch in "*+?" or (ch == "{" and self.counts()):
                if not nodes:
                    self.fail("nothing to repeat", start)
                self.at = start
                nodes.append(self.repeat(nodes.pop(), start))
                continue
            node = self.atom(ch, start)
            if node is not None:
                nodes.append(node)

    def counts(self):
        # Of {n}, {n,}, {,m} and {n,m} after the brace; None if it is plain text.
        start = self.at
        text = ""
        while self.peek().isdigit() or self.peek() == ",":
            text += self.next()
        if self.peek() != "}" or text == "" or text.count(",") > 1:
            self.at = start
            return None
        self.at += 1
        low, comma, high = text.partition(",")
        return int(low or 0), (int(high) if high else _MANY) if comma else int(low)

    def repeat(self, node, start):
        ch = self.next()
        if ch == "{":
            least, most = self.counts()
            if most < least:
                self.fail("min repeat greater than max repeat", start)
        else:
            least = 1 if ch == "+" else 0
            most = 1 if ch == "?" else _MANY
        if node[0] == "rep":
            self.fail("multiple repeat", start)
        if node[0] == "at":
            self.fail("nothing to repeat", start)
        greedy = True
        if self.peek() == "?":
            self.at += 1
            greedy = False
        elif self.peek() == "+":
            self.fail("possessive repeats are not supported")
        return ("rep", node, least, most, greedy)

    def literal(self, code):
        if self.flags & I and (65 <= code <= 90 or 97 <= code <= 122):
            one = _Set()
            one.add(code, code)
            one.ignore_case()
            return one.node()
        return ("char", code)

    def atom(self, ch, start):
        if ch == ".":
            one = _Set()
            if not self.flags & S:
                one.add(10, 10)
            return one.node(True)
        if ch == "^":
            return ("at", "m" if self.flags & M else "A")
        if ch == "$":
            return ("at", "n" if self.flags & M else "$")
        if ch == "[":
            return self.choice(start)
        if ch == "(":
            return self.group(start)
        if ch != "\\":
            return self.literal(ord(ch))
        if not self.peek():
            self.fail("bad escape (end of pattern)", start)
        ch = self.next()
        if ch in "dDwWsS":
            one = _Set()
            one.add_kind(ch, self.flags & A)
            return one.node()
        if ch in "bBAZ":
            return ("at", ch)
        if ch in "123456789":
            while self.peek().isdigit() and len(ch) < 2:
                ch += self.next()
            number = int(ch)
            if number > self.groups:
                self.fail("invalid group reference " + ch, start + 1)
            if number in self.open:
                self.fail("cannot refer to an open group", start)
            return ("back", number)
        return self.literal(self.escape(ch, start))

    def escape(self, ch, start):
        if ch in _ESCAPES:
            return _ESCAPES[ch]
        if ch in _HEX:
            digits = "".join(self.chars[self.at : self.at + _HEX[ch]])
            self.at += _HEX[ch]
            try:
                if len(digits) == _HEX[ch]:
                    return int(digits, 16)
            except ValueError:
                pass
            self.fail("incomplete escape \\" + ch + digits, start)
        if ch == "0":
            digits = "0"
            while len(digits) < 3 and self.peek() and self.peek() in "01234567":
                digits += self.next()
            return int(digits, 8)
        if ch.isalpha() or ch.isdigit():
            self.fail("bad escape \\" + ch, start)
        return ord(ch)

    def choice(self, start):
        one = _Set()
        negative = False
        if self.peek() == "^":
            self.at += 1
            negative = True
        first = True
        while True:
            if not self.peek():
                self.fail("unterminated character set", start)
            at = self.at
            ch = self.next()
            if ch == "]" and not first:
                break
            first = False
            low = self.member(ch, at, one)
            if self.peek() == "-" and self.chars[self.at + 1 : self.at + 2] not in (["]"], []):
                self.at += 1
                after = self.at
                high = self.member(self.next(), after, one)
                if low is None or high is None or high < low:
                    self.fail("bad character range " + "".join(self.chars[at : self.at]), at)
                one.add(low, high)
            elif low is not None:
                one.add(low, low)
        if self.flags & I:
            one.ignore_case()
        return one.node(negative)

    def member(self, ch, start, one):
        if ch != "\\":
            return ord(ch)
        ch = self.next()
        if ch in "dDwWsS":
            one.add_kind(ch, self.flags & A)
            return None
        return 8 if ch == "b" else self.escape(ch, start)

    def group(self, start):
        number = None
        flags = self.flags
        look = None
        if self.peek() == "?":
            self.at += 1
            ch = self.next()
            if ch == "P":
                ch = self.next()
                if ch == "<":
                    number = self.named(self.until(">", "group name"), start)
                elif ch == "=":
                    name = self.until(")", "group name")
                    if name not in self.names:
                        self.fail("unknown group name " + repr(name), start + 4)
                    return ("back", self.names[name])
                else:
                    self.fail("unknown extension ?P" + ch, start + 1)
            elif ch == "#":
                while self.peek() != ")":
                    if not self.peek():
                        self.fail("missing ), unterminated comment", start)
                    self.at += 1
                self.at += 1
                return None
            elif ch in "=!":
                look = (False, ch == "!")
            elif ch == "<" and self.peek() and self.peek() in "=!":
                look = (True, self.next() == "!")
            elif ch in "aimsxuL-":
                on = off = 0
                negative = False
                while ch not in ":)":
                    if ch == "-":
                        negative = True
                    elif ch not in _FLAGS:
                        self.fail("unknown flag")
                    elif negative:
                        off |= _FLAGS[ch]
                    else:
                        on |= _FLAGS[ch]
                    ch = self.next()
                if ch == ")":
                    if start != 0:
                        self.fail("global flags not at the start of the expression", start)
                    self.flags |= on
                    return None
                self.flags = (self.flags | on) & ~off
            elif ch != ":":
                self.fail("unknown extension ?" + ch, start + 1)
        else:
            number = self.named(None, start)
        if number is not None:
            self.open.add(number)
        node = self.alternatives()
        if self.peek() != ")":
            self.fail("missing ), unterminated subpattern", start)
        self.at += 1
        self.flags = flags
        if look is not None:
            return ("look", node, look[0], look[1])
        if number is None:
            return node if node[0] != "rep" else ("seq", [node])
        self.open.discard(number)
        return ("group", number, node)

    def named(self, name, start):
        self.groups += 1
        if name is not None:
            if not name.replace("_", "a").isalpha() and not _is_identifier(name):
                self.fail("bad character in group name " + repr(name), start + 4)
            if name in self.names:
                self.fail("redefinition of group name " + repr(name), start + 4)
            self.names[name] = self.groups
        return self.groups


_FLAGS = {"a": A, "i": I, "m": M, "s": S, "x": X, "u": U, "L": L}


def _is_identifier(name):
    return not name[0].isdigit() and all(ch == "_" or ch.isalpha() or ch.isdigit() or ord(ch) > 127 for ch in name)


def _width(node):
    # How many characters a node takes; None if that varies.
    kind = node[0]
    if kind == "char" or kind == "set":
        return 1
    if kind == "seq":
        widths = [_width(one) for one in node[1]]
        return None if None in widths else sum(widths)
    if kind == "or":
        widths = set(_width(one) for one in node[1])
        return widths.pop() if len(widths) == 1 else None
    if kind == "rep":
        width = _width(node[1])
        return width * node[2] if width is not None and node[2] == node[3] else None
    if kind == "group":
        return _width(node[2])
    return None if kind == "back" else 0


class _Compiler:
    def __init__(self, parser):
        self.parser = parser
        self.steps = []
        self.slots = 2 * parser.groups + 2

    def add(self, *step):
        if len(self.steps) >= _MAX_STEPS:
            raise error("the pattern is too large", self.parser.pattern)
        self.steps.append(step)
        return len(self.steps) - 1

    def emit(self, node):
        kind = node[0]
        if kind == "char":
            self.add(_CHAR, node[1])
        elif kind == "set":
            self.add(_SET, node[1], node[2])
        elif kind == "seq":
            self.sequence(node[1])
        elif kind == "or":
            jumps = []
            for index, one in enumerate(node[1]):
                if index < len(node[1]) - 1:
                    split = self.add()
                    self.emit(one)
                    jumps.append(self.add())
                    self.steps[split] = (_SPLIT, split + 1, len(self.steps))
                else:
                    self.emit(one)
            for jump in jumps:
                self.steps[jump] = (_JUMP, len(self.steps))
        elif kind == "group":
            self.add(_SAVE, 2 * node[1])
            self.emit(node[2])
            self.add(_SAVE, 2 * node[1] + 1)
        elif kind == "rep":
            self.repeat(node[1], node[2], node[3], node[4])
        elif kind == "at":
            self.add(_AT, node[1])
        elif kind == "back":
            self.add(_BACK, 2 * node[1], self.parser.flags & I)
        else:
            width = 0
            if node[2]:
                width = _width(node[1])
                if width is None:
                    raise error("look-behind requires fixed-width pattern", self.parser.pattern)
            outer, self.steps = self.steps, []
            self.emit(node[1])
            self.add(_MATCH)
            inner, self.steps = self.steps, outer
            self.add(_LOOK, inner, width, node[3])

    def sequence(self, nodes):
        text = []
        for node in nodes:
            if node[0] == "char" and node[1] < 128:
                text.append(node[1])
                continue
            self.text(text)
            text = []
            self.emit(node)
        self.text(text)

    def text(self, codes):
        if len(codes) == 1:
            self.add(_CHAR, codes[0])
        elif codes:
            self.add(_STR, bytes(codes), len(codes))

    def repeat(self, node, least, most, greedy):
        while node[0] == "seq" and len(node[1]) == 1:
            node = node[1][0]
        if node[0] == "char":
            code = node[1]
            if code < 128:
                table = bytearray(128)
                table[code] = 1
                node = ("set", bytes(table), _never)
            else:
                node = ("set", bytes(128), lambda c: c == code)
        if node[0] == "set":
            self.add(_RUN, node[1], node[2], least, most, greedy)
            return
        for _ in range(least):
            self.emit(node)
        if most == _MANY:
            slot = self.slots
            self.slots += 1
            split = self.add()
            self.add(_SAVE, slot)
            self.emit(node)
            self.add(_MOVED, slot, split)
            after = len(self.steps)
            self.steps[split] = (_SPLIT, split + 1, after) if greedy else (_SPLIT, after, split + 1)
            return
        splits = []
        for _ in range(most - least):
            splits.append(self.add())
            self.emit(node)
        after = len(self.steps)
        for split in splits:
            self.steps[split] = (_SPLIT, split + 1, after) if greedy else (_SPLIT, after, split + 1)


def _firsts(steps, at, table, seen):
    # Marks what a match can begin with; False if that is not known.
    while True:
        if at in seen:
            return True
        seen.add(at)
        step = steps[at]
        kind = step[0]
        if kind == _SAVE:
            at += 1
        elif kind == _JUMP:
            at = step[1]
        elif kind == _SPLIT:
            if not _firsts(steps, step[1], table, seen):
                return False
            at = step[2]
        elif kind == _CHAR or kind == _STR:
            first = step[1] if kind == _CHAR else step[1][0]
            if first < 128:
                table[first] = 1
            return True
        elif kind == _SET or kind == _RUN:
            for c, ok in enumerate(step[1]):
                if ok:
                    table[c] = 1
            if kind == _SET or step[3] > 0:
                return True
            at += 1
        elif kind == _AT and step[1] in "bm":
            at += 1
        else:
            return False


def _at(kind, text, i, end):
    if kind == "A":
        return i == 0
    if kind == "m":
        return i == 0 or text[i - 1] == 10
    if kind == "$":
        return i == end or (i == end - 1 and text[i] == 10)
    if kind == "n":
        return i == end or text[i] == 10
    if kind == "Z":
        return i == end
    before = i > 0 and _is_word(text[i - 1])
    after = i < end and _is_word(text[i])
    return (before != after) == (kind == "b")


def _is_word(c):
    return 48 <= c <= 57 or 65 <= c <= 90 or c == 95 or 97 <= c <= 122 or (c > 127 and _word(c))


def _same(a, b):
    return a == b or (65 <= a <= 90 and a + 32 == b) or (97 <= a <= 122 and a - 32 == b)


def _run(steps, text, i, end, slots, stop, forbidden):
    # Where the match ends that begins at i; -1 if there is none. Ends at `stop` if that is given, never at `forbidden`.
    is_ascii = type(text) is bytes
    stack = []
    at = 0
    while True:
        step = steps[at]
        kind = step[0]
        if kind == _CHAR:
            if i < end and text[i] == step[1]:
                i += 1
                at += 1
                continue
        elif kind == _SET:
            if i < end:
                c = text[i]
                if step[1][c] if c < 128 else step[2](c):
                    i += 1
                    at += 1
                    continue
        elif kind == _RUN:
            _, table, beyond, least, most, greedy = step
            last = min(i + (most if greedy else least), end)
            j = i
            if is_ascii:
                while j < last and table[text[j]]:
                    j += 1
            else:
                while j < last:
                    c = text[j]
                    if not (table[c] if c < 128 else beyond(c)):
                        break
                    j += 1
            if j - i >= least:
                at += 1
                if greedy:
                    if j > i + least:
                        stack.append((at, i + least, j))
                elif most > least:
                    stack.append((-2, at - 1, j, least))
                i = j
                continue
        elif kind == _STR:
            length = step[2]
            if is_ascii:
                if text[i : i + length] == step[1] and i + length <= end:
                    i += length
                    at += 1
                    continue
            elif i + length <= end:
                j = 0
                while j < length and text[i + j] == step[1][j]:
                    j += 1
                if j == length:
                    i += length
                    at += 1
                    continue
        elif kind == _SPLIT:
            stack.append((step[2], i, i))
            at = step[1]
            continue
        elif kind == _JUMP:
            at = step[1]
            continue
        elif kind == _SAVE:
            slot = step[1]
            stack.append((-1, slot, slots[slot]))
            slots[slot] = i
            at += 1
            continue
        elif kind == _MOVED:
            at = step[2] if slots[step[1]] != i else at + 1
            continue
        elif kind == _AT:
            if _at(step[1], text, i, end):
                at += 1
                continue
        elif kind == _LOOK:
            start = i - step[2]
            inner = slots[:]
            if (start >= 0 and _run(step[1], text, start, end, inner, i if step[2] else -1, -1) >= 0) != step[3]:
                for slot, value in enumerate(inner):
                    if value != slots[slot] and not step[3]:
                        stack.append((-1, slot, slots[slot]))
                        slots[slot] = value
                at += 1
                continue
        elif kind == _BACK:
            a = slots[step[1]]
            b = slots[step[1] + 1]
            if a >= 0 and b >= 0 and i + b - a <= end:
                j = i
                while a < b and (_same(text[a], text[j]) if step[2] else text[a] == text[j]):
                    a += 1
                    j += 1
                if a == b:
                    i = j
                    at += 1
                    continue
        elif i != forbidden and (stop < 0 or i == stop):
            return i
        while True:
            if not stack:
                return -1
            top = stack.pop()
            at = top[0]
            if at >= 0:
                i = top[2]
                if top[1] < i:
                    i -= 1
                    if top[1] < i:
                        stack.append((at, top[1], i))
                break
            if at == -1:
                slots[top[1]] = top[2]
                continue
            _, at, i, taken = top
            _, table, beyond, least, most, greedy = steps[at]
            at += 1
            if i < end:
                c = text[i]
                if table[c] if c < 128 else beyond(c):
                    i += 1
                    if taken + 1 < most:
                        stack.append((-2, at - 1, i, taken + 1))
                    break


class _Text:
    # A string whose characters are reached in one step: the interpreter counts through it each time.
    def __init__(self, string):
        if not isinstance(string, str):
            raise TypeError("expected string, got " + repr(type(string).__name__) + "; patterns over bytes are not supported")
        codes = string.encode()
        self.string = string
        self.codes = codes if len(codes) == len(string) else _array("I", map(ord, string))

    def cut(self, start, end):
        part = self.codes[start:end]
        return str(part, "utf-8") if type(part) is bytes else "".join(map(chr, part))


class Match:
    def __init__(self, pattern, text, slots, pos, endpos):
        self.re = pattern
        self.string = text.string
        self.pos = pos
        self.endpos = endpos
        self._text = text
        self._slots = slots

    def _index(self, group):
        if isinstance(group, str):
            group = self.re.groupindex.get(group, -1)
        if not isinstance(group, int) or not 0 <= group <= self.re.groups:
            raise IndexError("no such group")
        return group

    def _group(self, number, default=None):
        start = self._slots[2 * number]
        end = self._slots[2 * number + 1]
        return default if start < 0 or end < 0 else self._text.cut(start, end)

    def group(self, *groups):
        if len(groups) == 0:
            return self._group(0)
        if len(groups) == 1:
            return self._group(self._index(groups[0]))
        return tuple(self._group(self._index(group)) for group in groups)

    def __getitem__(self, group):
        return self._group(self._index(group))

    def groups(self, default=None):
        return tuple(self._group(number, default) for number in range(1, self.re.groups + 1))

    def groupdict(self, default=None):
        return {name: self._group(number, default) for name, number in self.re.groupindex.items()}

    def span(self, group=0):
        at = 2 * self._index(group)
        if self._slots[at] < 0 or self._slots[at + 1] < 0:
            return (-1, -1)
        return (self._slots[at], self._slots[at + 1])

    def start(self, group=0):
        return self.span(group)[0]

    def end(self, group=0):
        return self.span(group)[1]

    @property
    def lastindex(self):
        last = None
        for n in range(1, self.re.groups + 1):
            start, end = self.span(n)
            # The one that was closed last: an outer one is closed after those within.
            if end >= 0 and (last is None or end > self.end(last) or start >= self.end(last)):
                last = n
        return last

    @property
    def lastgroup(self):
        for name, number in self.re.groupindex.items():
            if number == self.lastindex:
                return name

    def expand(self, template):
        return _expand(_template(template, self.re), self)

    def __repr__(self):
        return "<re.Match object; span=" + repr(self.span()) + ", match=" + repr(self.group()) + ">"


class Pattern:
    def __init__(self, pattern, flags):
        if not isinstance(pattern, str):
            raise TypeError("first argument must be string or compiled pattern; patterns over bytes are not supported")
        parser = _Parser(pattern, flags)
        tree = parser.alternatives()
        if parser.peek():
            parser.fail("unbalanced parenthesis")
        compiler = _Compiler(parser)
        compiler.emit(tree)
        compiler.add(_MATCH)
        self.pattern = pattern
        self.flags = parser.flags | (0 if parser.flags & A else U)
        self.groups = parser.groups
        self.groupindex = parser.names
        self._steps = compiler.steps
        self._slots = compiler.slots
        table = bytearray(128)
        # What a match can begin with, among ASCII; None if that is anything.
        self._firsts = None
        if _firsts(compiler.steps, 0, table, set()) and not all(table):
            self._firsts = bytes(table)

    def __repr__(self):
        return "re.compile(" + repr(self.pattern) + ")"

    def _match(self, text, i, end, stop, forbidden=-1):
        slots = [-1] * self._slots
        after = _run(self._steps, text.codes, i, end, slots, stop, forbidden)
        if after < 0:
            return None
        slots[0] = i
        slots[1] = after
        return slots

    def _search(self, text, i, end, forbidden=-1):
        codes = text.codes
        firsts = self._firsts
        steps = self._steps
        only_at_start = steps[0][0] == _AT and steps[0][1] == "A"
        while i <= end:
            if firsts is not None:
                while i < end:
                    c = codes[i]
                    if c > 127 or firsts[c]:
                        break
                    i += 1
                else:
                    return None
            slots = self._match(text, i, end, -1, forbidden)
            if slots is not None or only_at_start:
                return slots
            i += 1

    def _bounds(self, string, pos, endpos):
        text = _Text(string)
        end = len(text.codes)
        if endpos is not None:
            end = max(0, min(end, endpos))
        return text, max(0, pos), end

    def _found(self, text, slots, pos, end):
        return None if slots is None else Match(self, text, slots, pos, end)

    def match(self, string, pos=0, endpos=None):
        text, pos, end = self._bounds(string, pos, endpos)
        return self._found(text, self._match(text, pos, end, -1) if pos <= end else None, pos, end)

    def fullmatch(self, string, pos=0, endpos=None):
        text, pos, end = self._bounds(string, pos, endpos)
        return self._found(text, self._match(text, pos, end, end) if pos <= end else None, pos, end)

    def search(self, string, pos=0, endpos=None):
        text, pos, end = self._bounds(string, pos, endpos)
        return self._found(text, self._search(text, pos, end), pos, end)

    def _each(self, text, pos, end):
        forbidden = -1
        while pos <= end:
            slots = self._search(text, pos, end, forbidden)
            if slots is None:
                return
            yield slots
            pos = slots[1]
            forbidden = pos if pos == slots[0] else -1

    def finditer(self, string, pos=0, endpos=None):
        text, pos, end = self._bounds(string, pos, endpos)
        for slots in self._each(text, pos, end):
            yield Match(self, text, slots, pos, end)

    def findall(self, string, pos=0, endpos=None):
        text, pos, end = self._bounds(string, pos, endpos)
        if self.groups == 0:
            return [text.cut(slots[0], slots[1]) for slots in self._each(text, pos, end)]
        found = []
        for slots in self._each(text, pos, end):
            groups = Match(self, text, slots, pos, end).groups("")
            found.append(groups[0] if self.groups == 1 else groups)
        return found

    def split(self, string, maxsplit=0):
        text = _Text(string)
        end = len(text.codes)
        parts = []
        at = 0
        for slots in self._each(text, 0, end):
            parts.append(text.cut(at, slots[0]))
            if self.groups:
                parts.extend(Match(self, text, slots, 0, end).groups())
            at = slots[1]
            maxsplit -= 1
            if maxsplit == 0:
                break
        parts.append(text.cut(at, end))
        return parts

    def subn(self, repl, string, count=0):
        text = _Text(string)
        end = len(text.codes)
        template = None if callable(repl) else _template(repl, self)
        parts = []
        at = 0
        made = 0
        for slots in self._each(text, 0, end):
            parts.append(text.cut(at, slots[0]))
            match = Match(self, text, slots, 0, end)
            parts.append(repl(match) if template is None else _expand(template, match))
            at = slots[1]
            made += 1
            if made == count:
                break
        parts.append(text.cut(at, end))
        return "".join(parts), made

    def sub(self, repl, string, count=0):
        return self.subn(repl, string, count)[0]


def _template(text, pattern):
    # Texts and the numbers of groups between them.
    if "\\" not in text:
        return [text]
    parser = _Parser(text, 0)
    parts = []
    plain = ""
    while parser.peek():
        ch = parser.next()
        if ch == "\\":
            start = parser.at - 1
            ch = parser.next()
            number = None
            if ch == "g":
                if parser.peek() != "<":
                    parser.fail("missing <")
                parser.at += 1
                name = parser.until(">", "group name")
                if name.isdigit():
                    number = int(name)
                elif name in pattern.groupindex:
                    number = pattern.groupindex[name]
                else:
                    raise IndexError("unknown group name " + repr(name))
            elif ch in "123456789":
                if parser.peek().isdigit():
                    ch += parser.next()
                number = int(ch)
            if number is not None:
                if number > pattern.groups:
                    parser.fail("invalid group reference " + str(number), start + 1)
                parts.append(plain)
                parts.append(number)
                plain = ""
                continue
            if ch == "0" or ch in _ESCAPES:
                ch = chr(parser.escape(ch, start))
            elif ch.isalpha():
                parser.fail("bad escape \\" + ch, start)
            else:
                ch = "\\" + ch
        plain += ch
    parts.append(plain)
    return parts


def _expand(template, match):
    return "".join(part if isinstance(part, str) else match._group(part, "") for part in template)


_compiled = {}


def compile(pattern, flags=0):
    if isinstance(pattern, Pattern):
        if flags:
            raise ValueError("cannot process flags argument with a compiled pattern")
        return pattern
    key = (pattern, flags)
    known = _compiled.get(key)
    if known is None:
        if len(_compiled) > 100:
            _compiled.clear()
        known = _compiled[key] = Pattern(pattern, flags)
    return known


def match(pattern, string, flags=0):
    return compile(pattern, flags).match(string)


def fullmatch(pattern, string, flags=0):
    return compile(pattern, flags).fullmatch(string)


def search(pattern, string, flags=0):
    return compile(pattern, flags).search(string)


def finditer(pattern, string, flags=0):
    return compile(pattern, flags).finditer(string)


def findall(pattern, string, flags=0):
    return compile(pattern, flags).findall(string)


def split(pattern, string, maxsplit=0, flags=0):
    return compile(pattern, flags).split(string, maxsplit)


def sub(pattern, repl, string, count=0, flags=0):
    return compile(pattern, flags).sub(repl, string, count)


def subn(pattern, repl, string, count=0, flags=0):
    return compile(pattern, flags).subn(repl, string, count)


def escape(pattern):
    return "".join("\\" + ch if ch in "()[]{}?*+-|^$\\.&~# \t\n\r\v\f" else ch for ch in pattern)


def purge():
    _compiled.clear()
