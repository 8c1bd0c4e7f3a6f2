from ucollections import OrderedDict as _OrderedDict
from ucollections import namedtuple as _native

import _patch

_MISSING = object()


def _move_to_end(self, key, last=True):
    value = self.pop(key)
    if last:
        self[key] = value
        return
    rest = list(self.items())
    self.clear()
    self[key] = value
    for key, value in rest:
        self[key] = value


_native_popitem = _OrderedDict.__dict__["popitem"]


def _popitem(self, last=True):
    if last or not self:
        return _native_popitem(self)
    for key in self:
        return key, self.pop(key)


OrderedDict = _OrderedDict
_patch.extend(OrderedDict, {"move_to_end": _move_to_end, "popitem": _popitem})


def namedtuple(typename, field_names, *, rename=False, defaults=None, module=None):
    if isinstance(field_names, str):
        field_names = field_names.replace(",", " ").split()
    fields = list(map(str, field_names))
    seen = set()
    for at, name in enumerate(fields):
        bad = not name.replace("_", "a") or name[0].isdigit() or name[0] == "_" or name in seen or name in _KEYWORDS
        if bad or any(not (ch.isalpha() or ch.isdigit() or ch == "_" or ord(ch) > 127) for ch in name):
            if not rename:
                raise ValueError("field names must be distinct identifiers that begin with no underscore: " + repr(name))
            fields[at] = "_" + str(at)
        seen.add(name)
    fields = tuple(fields)
    defaults = tuple(defaults or ())
    if len(defaults) > len(fields):
        raise TypeError("Got more default values than field names")
    native = _native(typename, fields)
    first = len(fields) - len(defaults)
    by_name = dict(zip(fields[first:], defaults))

    def init(self, *args, **named):
        if len(args) + len(named) < len(fields):
            for name, value in by_name.items():
                if name not in named and fields.index(name) >= len(args):
                    named[name] = value
        super(kind, self).__init__(*args, **named)

    def make(cls, iterable):
        return cls(*iterable)

    def asdict(self):
        return dict(zip(fields, self))

    def replace(self, **changed):
        values = asdict(self)
        for name in changed:
            if name not in values:
                raise ValueError("Got unexpected field names: " + repr([name]))
        values.update(changed)
        return kind(**values)

    space = {
        "_fields": fields,
        "_field_defaults": by_name,
        "_make": classmethod(make),
        "_asdict": asdict,
        "_replace": replace,
    }
    if by_name:
        space["__init__"] = init
    kind = type(typename, (native,), space)
    return kind


_KEYWORDS = (
    "False None True and as assert async await break class continue def del elif else except finally for from global if import "
    "in is lambda nonlocal not or pass raise return try while with yield"
).split()


class defaultdict(dict):
    def __init__(self, default_factory=None, *args, **named):
        if default_factory is not None and not callable(default_factory):
            raise TypeError("first argument must be callable or None")
        super().__init__()
        _fill(self, args, named)
        self.default_factory = default_factory

    def __getitem__(self, key):
        value = self.get(key, _MISSING)
        return self.__missing__(key) if value is _MISSING else value

    def __missing__(self, key):
        if self.default_factory is None:
            raise KeyError(key)
        value = self[key] = self.default_factory()
        return value

    def copy(self):
        return defaultdict(self.default_factory, self)

    def __repr__(self):
        return "defaultdict(" + repr(self.default_factory) + ", " + repr(_plain(self)) + ")"


def _plain(mapping):
    return dict(mapping.items())


def _fill(into, args, named):
    if len(args) > 1:
        raise TypeError("expected at most 1 positional argument")
    if args:
        source = args[0]
        into.update(source.items() if hasattr(source, "items") else source)
    into.update(named)


class Counter(dict):
    def __init__(self, iterable=None, **named):
        super().__init__()
        self._first = {}  # When each key came: the interpreter's dictionaries have no order, and ties are told apart by it.
        self.update(iterable, **named)

    def __getitem__(self, key):
        return self.get(key, 0)

    def __setitem__(self, key, value):
        if key not in self._first:
            self._first[key] = len(self._first)
        super().__setitem__(key, value)

    def __delitem__(self, key):
        if key in self:
            super().__delitem__(key)

    def _add(self, iterable, named, sign):
        if iterable is None:
            pass
        elif hasattr(iterable, "items"):
            for key, count in iterable.items():
                self[key] = self.get(key, 0) + sign * count
        else:
            counts = {}
            first = self._first
            get = counts.get
            for key in iterable:
                count = get(key, 0)
                if count == 0 and key not in first:
                    first[key] = len(first)
                counts[key] = count + 1
            put = super().__setitem__
            get = self.get
            for key, count in counts.items():
                put(key, get(key, 0) + sign * count)
        if named:
            self._add(named, None, sign)

    def update(self, iterable=None, **named):
        self._add(iterable, named, 1)

    def subtract(self, iterable=None, **named):
        self._add(iterable, named, -1)

    def _ordered(self):
        first = self._first
        return sorted(self.items(), key=lambda item: first[item[0]])

    def most_common(self, n=None):
        items = self._ordered()
        if n == 1:
            return [max(items, key=lambda item: item[1])] if items else []
        items.sort(key=lambda item: item[1], reverse=True)
        return items if n is None else items[: max(n, 0)]

    def elements(self):
        for key, count in self._ordered():
            for _ in range(count):
                yield key

    def total(self):
        return sum(self.values())

    def copy(self):
        return Counter(self)

    def fromkeys(self, *args):
        raise NotImplementedError("Counter.fromkeys() is undefined. Use Counter(iterable) instead.")

    def _merged(self, other, of):
        if not isinstance(other, Counter):
            raise TypeError("unsupported operand: a Counter goes with a Counter only")
        result = Counter()
        for key, _ in self._ordered() + other._ordered():
            if key not in result:
                count = of(self[key], other[key])
                if count > 0:
                    result[key] = count
        return result

    def __add__(self, other):
        return self._merged(other, lambda a, b: a + b)

    def __sub__(self, other):
        return self._merged(other, lambda a, b: a - b)

    def __or__(self, other):
        return self._merged(other, max)

    def __and__(self, other):
        return self._merged(other, min)

    def __pos__(self):
        return self + Counter()

    def __neg__(self):
        return Counter() - self

    def __eq__(self, other):
        if not isinstance(other, Counter):
            return _plain(self) == other
        return all(self[key] == other[key] for both in (self, other) for key in both)

    def __ne__(self, other):
        return not self == other

    def __le__(self, other):
        return all(self[key] <= other[key] for both in (self, other) for key in both)

    def __lt__(self, other):
        return self <= other and self != other

    def __ge__(self, other):
        return other <= self

    def __gt__(self, other):
        return other < self

    def __repr__(self):
        if not self:
            return "Counter()"
        return "Counter({" + ", ".join(repr(key) + ": " + repr(count) for key, count in self.most_common()) + "})"

    __str__ = __repr__


class deque:
    # A list whose first places may be empty.
    def __init__(self, iterable=(), maxlen=None):
        if maxlen is not None and maxlen < 0:
            raise ValueError("maxlen must be non-negative")
        self.maxlen = maxlen
        self._items = []
        self._from = 0
        self.extend(iterable)

    def _bounded(self):
        if self.maxlen is not None and len(self) > self.maxlen:
            self.popleft()

    def append(self, item):
        self._items.append(item)
        if self.maxlen is not None:
            self._bounded()

    def appendleft(self, item):
        if self._from == 0:
            room = len(self._items) + 8
            self._items[:0] = [None] * room
            self._from = room
        self._from -= 1
        self._items[self._from] = item
        if self.maxlen is not None and len(self) > self.maxlen:
            self.pop()

    def extend(self, iterable):
        for item in list(iterable):
            self.append(item)

    def extendleft(self, iterable):
        for item in list(iterable):
            self.appendleft(item)

    def pop(self):
        if len(self._items) == self._from:
            raise IndexError("pop from an empty deque")
        return self._items.pop()

    def popleft(self):
        at = self._from
        if len(self._items) == at:
            raise IndexError("pop from an empty deque")
        item = self._items[at]
        self._items[at] = None
        self._from = at = at + 1
        if at > 16 and at * 2 > len(self._items):
            del self._items[:at]
            self._from = 0
        return item

    def _all(self):
        return self._items[self._from :]

    def _set(self, items):
        self._items = items
        self._from = 0

    def clear(self):
        self._set([])

    def copy(self):
        return deque(self, self.maxlen)

    def count(self, item):
        return self._all().count(item)

    def index(self, item, *bounds):
        return self._all().index(item, *bounds)

    def insert(self, at, item):
        if self.maxlen is not None and len(self) >= self.maxlen:
            raise IndexError("deque already at its maximum size")
        items = self._all()
        items.insert(at, item)
        self._set(items)

    def remove(self, item):
        items = self._all()
        items.remove(item)
        self._set(items)

    def reverse(self):
        items = self._all()
        items.reverse()
        self._set(items)

    def rotate(self, n=1):
        items = self._all()
        if items:
            n %= len(items)
            self._set(items[len(items) - n :] + items[: len(items) - n])

    def _at(self, index):
        count = len(self)
        if not isinstance(index, int):
            raise TypeError("sequence index must be integer, not " + repr(type(index).__name__))
        if index < 0:
            index += count
        if not 0 <= index < count:
            raise IndexError("deque index out of range")
        return self._from + index

    def __getitem__(self, index):
        return self._items[self._at(index)]

    def __setitem__(self, index, value):
        self._items[self._at(index)] = value

    def __delitem__(self, index):
        del self._items[self._at(index)]

    def __len__(self):
        return len(self._items) - self._from

    def __bool__(self):
        return len(self._items) > self._from

    def __iter__(self):
        return iter(self._all())

    def __reversed__(self):
        return reversed(self._all())

    def __contains__(self, item):
        return item in self._all()

    def __add__(self, other):
        result = self.copy()
        result.extend(other)
        return result

    def __iadd__(self, other):
        self.extend(other)
        return self

    def __mul__(self, n):
        return deque(self._all() * n, self.maxlen)

    def __eq__(self, other):
        return isinstance(other, deque) and self._all() == other._all()

    def __ne__(self, other):
        return not self == other

    def __lt__(self, other):
        return self._all() < other._all()

    def __repr__(self):
        bound = "" if self.maxlen is None else ", maxlen=" + str(self.maxlen)
        return "deque(" + repr(self._all()) + bound + ")"


class ChainMap:
    def __init__(self, *maps):
        self.maps = list(maps) or [{}]

    def __getitem__(self, key):
        for one in self.maps:
            if key in one:
                return one[key]
        raise KeyError(key)

    def get(self, key, default=None):
        return self[key] if key in self else default

    def __contains__(self, key):
        return any(key in one for one in self.maps)

    def _all(self):
        merged = {}
        for one in reversed(self.maps):
            merged.update(one.items())
        return merged

    def __iter__(self):
        return iter(self._all())

    def __len__(self):
        return len(self._all())

    def __bool__(self):
        return any(self.maps)

    def keys(self):
        return self._all().keys()

    def values(self):
        return self._all().values()

    def items(self):
        return self._all().items()

    def __setitem__(self, key, value):
        self.maps[0][key] = value

    def __delitem__(self, key):
        del self.maps[0][key]

    def pop(self, key, *default):
        return self.maps[0].pop(key, *default)

    def update(self, other):
        self.maps[0].update(other)

    def new_child(self, m=None, **named):
        first = {} if m is None else m
        first.update(named)
        return ChainMap(first, *self.maps)

    @property
    def parents(self):
        return ChainMap(*self.maps[1:])

    def __eq__(self, other):
        return self._all() == (other._all() if isinstance(other, ChainMap) else other)

    def __repr__(self):
        return "ChainMap(" + ", ".join(map(repr, self.maps)) + ")"
