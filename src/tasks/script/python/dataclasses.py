import copy

from _classes import members


class _Missing:
    def __repr__(self):
        return "MISSING"


class _KwOnly:
    pass


MISSING = _Missing()
KW_ONLY = _KwOnly()
_FIELDS = "__dataclass_fields__"


class InitVar:
    pass


class FrozenInstanceError(AttributeError):
    pass


class Field:
    def __init__(self, default, default_factory, init, repr, hash, compare, metadata, kw_only):
        self.name = None
        self.type = None
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.hash = hash
        self.compare = compare
        self.metadata = metadata or {}
        self.kw_only = kw_only
        self._is_init_var = False


def field(
    *, default=MISSING, default_factory=MISSING, init=True, repr=True, hash=None, compare=True, metadata=None, kw_only=MISSING
):
    if default is not MISSING and default_factory is not MISSING:
        raise ValueError("cannot specify both default and default_factory")
    return Field(default, default_factory, init, repr, hash, compare, metadata, kw_only)


def _own(cls, kw_only):
    found = []
    held = cls.__dict__
    known = [name for name in held if not (name[:2] == "__" and name in ("__module__", "__qualname__", "__name__", "__doc__"))]
    for name, annotation, has_value in members(cls.__name__, known):
        if annotation is None or "ClassVar" in annotation:
            continue
        if annotation in ("KW_ONLY", "dataclasses.KW_ONLY"):
            kw_only = True
            continue
        value = held[name] if has_value else MISSING
        one = value if isinstance(value, Field) else field(default=value)
        one.name = name
        one.type = annotation
        one._is_init_var = annotation.split("[")[0].split(".")[-1] == "InitVar"
        if one.kw_only is MISSING:
            one.kw_only = kw_only
        if isinstance(one.default, (list, dict, set)):
            kind = type(one.default).__name__
            raise ValueError("mutable default <class '" + kind + "'> for field " + name + " is not allowed: use default_factory")
        if isinstance(value, Field):
            if one.default is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, one.default)
        found.append(one)
    return found


def _inherited(cls):
    found = []
    for base in reversed(cls.__bases__):
        for one in getattr(base, _FIELDS, ()) or _inherited(base) if base is not object else ():
            found = [other for other in found if other.name != one.name] + [one]
    return found


def _init(cls, all_fields, frozen):
    scope = {"_MISSING": MISSING, "_set": object.__setattr__}
    positional = []
    named = []
    body = []
    has_default = None
    for one in all_fields:
        name = one.name
        value = name
        if one.default_factory is not MISSING:
            scope["_make_" + name] = one.default_factory
            value = "_make_" + name + "()" if not one.init else "_make_" + name + "() if " + name + " is _MISSING else " + name
            given = name + "=_MISSING"
        elif one.default is not MISSING:
            scope["_default_" + name] = one.default
            value = name if one.init else "_default_" + name
            given = name + "=_default_" + name
        else:
            given = name
        if one.init:
            if one.kw_only:
                named.append(given)
            else:
                if given == name and has_default is not None:
                    raise TypeError("non-default argument " + repr(name) + " follows default argument " + repr(has_default))
                if given != name:
                    has_default = name
                positional.append(given)
        elif one.default is MISSING and one.default_factory is MISSING:
            continue
        if not one._is_init_var:
            body.append("_set(self,%r,%s)" % (name, value) if frozen else "self.%s=%s" % (name, value))
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__(" + ",".join(one.name for one in all_fields if one._is_init_var) + ")")
    parameters = ["self"] + positional + (["*"] + named if named else [])
    exec("def __init__(" + ",".join(parameters) + "):\n " + "\n ".join(body or ["pass"]), scope)
    return scope["__init__"]


def dataclass(
    cls=None, *, init=True, repr=True, eq=True, order=False, unsafe_hash=False, frozen=False, match_args=True, kw_only=False,
    slots=False, weakref_slot=False
):
    def made(cls):
        own = _own(cls, kw_only)
        inherited = _inherited(cls)
        for base in cls.__bases__:
            if getattr(base, _FIELDS, None) and getattr(base, "_is_frozen", False) != frozen:
                raise TypeError("cannot inherit " + ("frozen" if not frozen else "non-frozen") + " dataclass from the other")
        by_name = {one.name: one for one in own}
        every = [by_name.pop(one.name, one) for one in inherited] + [one for one in own if one.name in by_name]
        every = [one for one in every if by_name.get(one.name, one) is one]
        given = cls.__dict__
        if order and not eq:
            raise ValueError("eq must be true if order is true")

        def put(name, method):
            if name not in given:
                setattr(cls, name, method)

        setattr(cls, _FIELDS, every)
        cls._is_frozen = frozen
        real = [one for one in every if not one._is_init_var]
        if match_args:
            put("__match_args__", tuple(one.name for one in every if one.init and not one.kw_only))
        if init:
            put("__init__", _init(cls, every, frozen))
        if repr:
            shown = [one.name for one in real if one.repr]
            put("__repr__", lambda self: _repr(self, shown))
        compared = [one.name for one in real if one.compare]

        def values(self):
            return tuple([getattr(self, name) for name in compared])

        if eq:
            put("__eq__", lambda self, other: values(self) == values(other) if type(self) is type(other) else NotImplemented)
        if order:
            for name, test in _ORDER.items():
                if name in given:
                    raise TypeError("Cannot overwrite attribute " + name + " in class " + cls.__name__)
                setattr(cls, name, _ordered(values, test))
        hashed = [one.name for one in real if (one.compare if one.hash is None else one.hash)]
        if unsafe_hash or (eq and frozen):
            put("__hash__", lambda self: hash(tuple([getattr(self, name) for name in hashed])))
        elif eq:
            put("__hash__", _unhashable)
        if frozen:
            setattr(cls, "__setattr__", _refuse_set)
            setattr(cls, "__delattr__", _refuse_delete)
        return cls

    return made if cls is None else made(cls)


_ORDER = {
    "__lt__": lambda a, b: a < b,
    "__le__": lambda a, b: a <= b,
    "__gt__": lambda a, b: a > b,
    "__ge__": lambda a, b: a >= b,
}


def _ordered(values, test):
    def compare(self, other):
        return test(values(self), values(other)) if type(self) is type(other) else NotImplemented

    return compare


def _repr(self, names):
    shown = ", ".join(name + "=" + repr(getattr(self, name)) for name in names)
    return type(self).__name__ + "(" + shown + ")"


def _unhashable(self):
    raise TypeError("unhashable type: " + repr(type(self).__name__))


def _refuse_set(self, name, value):
    raise FrozenInstanceError("cannot assign to field " + repr(name))


def _refuse_delete(self, name):
    raise FrozenInstanceError("cannot delete field " + repr(name))


def is_dataclass(obj):
    return hasattr(obj, _FIELDS)


def fields(class_or_instance):
    if not hasattr(class_or_instance, _FIELDS):
        raise TypeError("must be called with a dataclass type or instance")
    return tuple(one for one in getattr(class_or_instance, _FIELDS) if not one._is_init_var)


def _is_instance(obj):
    return hasattr(obj, _FIELDS) and not isinstance(obj, type)


def _each(obj, of):
    if _is_instance(obj):
        return of(obj)
    if isinstance(obj, tuple) and hasattr(obj, "_fields"):
        return type(obj)(*[_each(one, of) for one in obj])
    if isinstance(obj, (list, tuple)):
        return (list if isinstance(obj, list) else tuple)([_each(one, of) for one in obj])
    if isinstance(obj, dict):
        return {_each(key, of): _each(value, of) for key, value in obj.items()}
    return copy.deepcopy(obj)


def asdict(obj, *, dict_factory=dict):
    if not _is_instance(obj):
        raise TypeError("asdict() should be called on dataclass instances")
    pairs = lambda one: dict_factory([(field.name, _each(getattr(one, field.name), pairs)) for field in fields(one)])
    return pairs(obj)


def astuple(obj, *, tuple_factory=tuple):
    if not _is_instance(obj):
        raise TypeError("astuple() should be called on dataclass instances")
    values = lambda one: tuple_factory([_each(getattr(one, field.name), values) for field in fields(one)])
    return values(obj)


def replace(obj, **changes):
    if not _is_instance(obj):
        raise TypeError("replace() should be called on dataclass instances")
    for one in getattr(obj, _FIELDS):
        if not one.init:
            if one.name in changes:
                raise ValueError("field " + one.name + " is declared with init=False, it cannot be specified with replace()")
        elif one.name not in changes:
            if one._is_init_var and one.default is MISSING:
                raise ValueError("InitVar " + repr(one.name) + " must be specified with replace()")
            if not one._is_init_var:
                changes[one.name] = getattr(obj, one.name)
    return type(obj)(**changes)
