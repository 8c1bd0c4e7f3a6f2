# An enumeration is not a class to the interpreter, which has no classes of classes: it is an object that behaves like one. It comes
# to be because the interpreter makes a class by calling the type of the first base.

import builtins

from _classes import members
from _patch import function_of

_set = object.__setattr__
_make_class = __build_class__
_native_isinstance = isinstance
_native_issubclass = issubclass


class auto:
    def __init__(self, value=None):
        self.value = value


class _Member:
    def __repr__(self):
        return "<" + self._enum.__name__ + "." + self.name + ": " + repr(self.value) + ">"

    def __str__(self):
        return self._enum.__name__ + "." + self.name

    def __hash__(self):
        return hash(self.name)

    @property
    def _name_(self):
        return self.name

    @property
    def _value_(self):
        return self.value


class _Valued(_Member):
    # Members that are their values too.
    def __str__(self):
        return str(self.value)

    def __hash__(self):
        return hash(self.value)

    def __eq__(self, other):
        return self.value == _bare(other)

    def __ne__(self, other):
        return self.value != _bare(other)

    def __lt__(self, other):
        return self.value < _bare(other)

    def __le__(self, other):
        return self.value <= _bare(other)

    def __gt__(self, other):
        return self.value > _bare(other)

    def __ge__(self, other):
        return self.value >= _bare(other)

    def __add__(self, other):
        return self.value + _bare(other)

    def __radd__(self, other):
        return _bare(other) + self.value

    def __mul__(self, other):
        return self.value * _bare(other)

    def __rmul__(self, other):
        return _bare(other) * self.value


class _Whole(_Valued):
    def __sub__(self, other):
        return self.value - _bare(other)

    def __rsub__(self, other):
        return _bare(other) - self.value

    def __truediv__(self, other):
        return self.value / _bare(other)

    def __rtruediv__(self, other):
        return _bare(other) / self.value

    def __floordiv__(self, other):
        return self.value // _bare(other)

    def __mod__(self, other):
        return self.value % _bare(other)

    def __neg__(self):
        return -self.value

    def __abs__(self):
        return abs(self.value)

    def __int__(self):
        return self.value

    def __bool__(self):
        return bool(self.value)


class _Text(_Valued):
    def __len__(self):
        return len(self.value)

    def __iter__(self):
        return iter(self.value)

    def __contains__(self, other):
        return _bare(other) in self.value

    def __getitem__(self, at):
        return self.value[at]

    def __getattr__(self, name):
        return getattr(self.value, name)


def _bare(value):
    return value.value if _native_isinstance(value, _Valued) else value


class EnumType:
    def __init__(self, name=None, bases=(), space=None):
        _set(self, "__name__", name)
        self._by_name = {}
        self._names = []
        self._all = []
        self._mixtures = []  # Of flags, so that each is one object.
        self._base = bases[0] if bases and _native_isinstance(bases[0], EnumType) else None
        self._mixed = None
        if name is None:
            return
        base = self._base
        if base._all:
            raise TypeError("<enum " + repr(name) + "> cannot extend <enum " + repr(base.__name__) + ">")
        self._mixed = base._mixed
        kinds = []
        for one in bases[1:]:
            if one in (str, int, float):
                self._mixed = one
            elif one is not object:
                kinds.append(one)
        self._is_flag = base._is_flag
        methods = {}
        values = {}
        of_class = {}
        for key, value in space.items():
            if isinstance(value, classmethod):
                of_class[key] = function_of(value)
                methods[key] = _of_member(of_class[key])
            elif key[:1] == "_" or _is_method(value):
                methods[key] = value
            else:
                values[key] = value
        first = {None: _Member, int: _Whole, str: _Text}.get(self._mixed, _Valued)
        own = [base._kind] if base._kind else []
        if not own or (self._mixed is not base._mixed):
            own.append(first)
        if base._is_text and self._mixed is str and not base._kind:
            own = [first]
        self._kind = type(name, tuple(kinds + own), methods)
        self._is_text = base._is_text
        self._methods = methods
        self._of_class = dict(base._of_class)
        self._of_class.update(of_class)
        if values:
            known = [key for key in space if key not in ("__module__", "__qualname__")]
            self._fill(members(name, known), values)

    def _fill(self, body, values):
        last = []
        for name, _, has_value in body:
            if not has_value or name not in values:
                continue
            value = values[name]
            if _native_isinstance(value, nonmember):
                setattr(self._kind, name, value.value)
                continue
            if _native_isinstance(value, auto):
                value = self._next(name, last)
            last.append(value)
            self._add(name, value)

    def _next(self, name, last):
        maker = getattr(self._kind, "_generate_next_value_", None)
        if maker is not None:
            return maker(name, 1, len(last), last)
        if self._is_text:
            return name.lower()
        if self._is_flag:
            high = 1
            while any(high <= value for value in last):
                high *= 2
            return high
        numbers = [value for value in last if _native_isinstance(value, (int, float))]
        return max(numbers) + 1 if numbers else 1

    def _add(self, name, value):
        arguments = value
        if self._mixed is not None and not _native_isinstance(value, self._mixed):
            value = self._mixed(*value) if _native_isinstance(value, tuple) else self._mixed(value)
        member = object.__new__(self._kind)
        member._enum = self
        member.name = name
        member.value = value
        if "__init__" in self._methods:
            member.__init__(*(arguments if _native_isinstance(arguments, tuple) else (arguments,)))
        self._names.append(name)
        for other in self._all:
            if other.value == member.value:
                self._by_name[name] = other
                return
        self._by_name[name] = member
        self._all.append(member)

    def __call__(self, value, names=None, **_):
        if names is not None:
            return self._functional(value, names)
        if _native_isinstance(value, _Member) and value._enum is self:
            return value
        for member in self._all:
            if member.value == value:
                return member
        missing = self._of_class.get("_missing_")
        if missing is not None:
            found = missing(self, value)
            if found is not None:
                return found
        if self._is_flag and _native_isinstance(value, int):
            return self._combined(value)
        raise ValueError(repr(value) + " is not a valid " + self.__name__)

    def _functional(self, name, names):
        if _native_isinstance(names, str):
            names = names.replace(",", " ").split()
        pairs = names.items() if hasattr(names, "items") else names
        made = type(self)(name, (self,), {})
        last = []
        for one in pairs:
            key, value = (one, made._next(one, last)) if _native_isinstance(one, str) else one
            last.append(value)
            made._add(key, value)
        return made

    def _combined(self, value):
        every = 0
        for member in self._all:
            every |= member.value
        if value < 0:
            value &= every
        if value & ~every:
            raise ValueError(repr(value) + " is not a valid " + self.__name__)
        for member in self._all + self._mixtures:
            if member.value == value:
                return member
        member = object.__new__(self._kind)
        self._mixtures.append(member)
        member._enum = self
        member.name = "|".join(one.name for one in self._all if one.value & value) or None
        member.value = value
        return member

    def __getitem__(self, name):
        return self._by_name[name]

    def __getattr__(self, name):
        if name == "__members__":
            from collections import OrderedDict

            return OrderedDict([(key, self._by_name[key]) for key in self._names])
        found = self.__dict__.get("_by_name", {}).get(name)
        if found is not None:
            return found
        method = self.__dict__.get("_of_class", {}).get(name)
        if method is not None:
            return lambda *args, **named: method(self, *args, **named)
        kind = self.__dict__.get("_kind")
        if kind is not None and name[:2] != "__" and hasattr(kind, name):
            return getattr(kind, name)
        raise AttributeError("type object " + repr(self.__name__) + " has no attribute " + repr(name))

    def __setattr__(self, name, value):
        if name in self.__dict__.get("_by_name", ()):
            raise AttributeError("cannot reassign member " + repr(name))
        _set(self, name, value)

    def __iter__(self):
        return iter(self._all)

    def __reversed__(self):
        return reversed(self._all)

    def __len__(self):
        return len(self._all)

    def __bool__(self):
        return True

    def __contains__(self, value):
        return (_native_isinstance(value, _Member) and value._enum is self) or any(one.value == value for one in self._all)

    def __repr__(self):
        return "<enum " + repr(self.__name__) + ">"

    def _is_below(self, other):
        return self is other or (self._base is not None and self._base._is_below(other))


EnumMeta = EnumType


class nonmember:
    def __init__(self, value):
        self.value = value


def _of_member(method):
    return lambda member, *args, **named: method(member._enum, *args, **named)


def _is_method(value):
    return _native_isinstance(value, (property, staticmethod, classmethod)) or (
        callable(value) and not _native_isinstance(value, (auto, _Member))
    )


def _root(name, mixed=None, is_text=False, is_flag=False, kind=None):
    made = EnumType()
    _set(made, "__name__", name)
    made._mixed = mixed
    made._is_text = is_text
    made._is_flag = is_flag
    made._kind = kind
    made._methods = {}
    made._of_class = {}
    return made


class _Flags(_Member):
    def __or__(self, other):
        return self._with(other, lambda a, b: a | b)

    def __and__(self, other):
        return self._with(other, lambda a, b: a & b)

    def __xor__(self, other):
        return self._with(other, lambda a, b: a ^ b)

    def __invert__(self):
        return self._enum(~self.value)

    def _with(self, other, made):
        if getattr(other, "_enum", None) is not self._enum and not _native_isinstance(self, _Valued):
            raise TypeError("unsupported operand: a flag goes with one of its own kind only")
        return self._enum(made(self.value, getattr(other, "value", other)))

    def __contains__(self, other):
        return other.value & self.value == other.value

    def __iter__(self):
        return iter([one for one in self._enum._all if one.value and one.value & self.value == one.value])

    def __len__(self):
        return len(list(iter(self)))

    def __bool__(self):
        return bool(self.value)

    def __repr__(self):
        if self.name is None:
            return "<" + self._enum.__name__ + ": " + str(self.value) + ">"
        return "<" + self._enum.__name__ + "." + self.name + ": " + str(self.value) + ">"


class _WholeFlags(_Flags, _Whole):
    pass


Enum = _root("Enum")
IntEnum = _root("IntEnum", int)
StrEnum = _root("StrEnum", str, True)
Flag = _root("Flag", None, False, True, _Flags)
IntFlag = _root("IntFlag", int, False, True, _WholeFlags)


def unique(enumeration):
    for name in enumeration._names:
        if enumeration._by_name[name].name != name:
            raise ValueError("duplicate values found in " + repr(enumeration))
    return enumeration


def _isinstance(value, kinds):
    if _native_isinstance(kinds, tuple):
        return any(_isinstance(value, one) for one in kinds)
    if _native_isinstance(value, _Member):
        if _native_isinstance(kinds, EnumType):
            return value._enum._is_below(kinds)
        if _native_isinstance(value, _Valued) and kinds in (int, str, float):
            return _native_isinstance(value.value, kinds)
    elif _native_isinstance(kinds, EnumType):
        return False
    return _native_isinstance(value, kinds)


def _issubclass(kind, kinds):
    if _native_isinstance(kind, EnumType):
        return any(_native_isinstance(one, EnumType) and kind._is_below(one) for one in (kinds if type(kinds) is tuple else (kinds,)))
    return _native_issubclass(kind, kinds) if not _native_isinstance(kinds, EnumType) else False


def _build_class(body, name, *bases, **named):
    # The interpreter asks the first base how to make the class: that must be the enumeration.
    ours = [one for one in bases if _native_isinstance(one, EnumType)]
    return _make_class(body, name, *(ours + [one for one in bases if one not in ours]), **named)


builtins.isinstance = _isinstance
builtins.issubclass = _issubclass
builtins.__build_class__ = _build_class
