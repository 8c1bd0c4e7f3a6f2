# Names for annotations. The interpreter forgets annotations, so nothing here checks anything.

TYPE_CHECKING = False


class _Form:
    def __init__(self, name):
        self._name = name

    def __getitem__(self, _):
        return self

    def __or__(self, _):
        return self

    def __ror__(self, _):
        return self

    def __call__(self, *args, **named):
        raise TypeError("Type " + self._name + " cannot be instantiated")

    def __repr__(self):
        return "typing." + self._name


for _name in (
    "Annotated Any AnyStr AsyncIterable AsyncIterator Awaitable Callable ClassVar Collection Concatenate Container Coroutine Final "
    "Generator Hashable ItemsView Iterable Iterator KeysView Literal LiteralString Mapping MutableMapping MutableSequence "
    "MutableSet Never NoReturn NotRequired Optional Required Reversible Self Sequence Sized Text TypeAlias TypeGuard Union Unpack "
    "ValuesView AbstractSet Pattern Match IO TextIO BinaryIO SupportsFloat SupportsInt SupportsIndex SupportsAbs SupportsRound "
    "AsyncGenerator ContextManager AsyncContextManager SupportsBytes ByteString"
).split():
    globals()[_name] = _Form(_name)


class _Alias(_Form):
    def __init__(self, name, kind):
        self._name = name
        self._kind = kind

    def __call__(self, *args, **named):
        return self._kind(*args, **named)


for _name in "List Dict Set FrozenSet Tuple Type".split():
    globals()[_name] = _Form(_name)


def _collection(name):
    def make(*args, **named):
        import collections

        return getattr(collections, name)(*args, **named)

    return make


DefaultDict = _Alias("DefaultDict", _collection("defaultdict"))
OrderedDict = _Alias("OrderedDict", _collection("OrderedDict"))
Counter = _Alias("Counter", _collection("Counter"))
Deque = _Alias("Deque", _collection("deque"))
ChainMap = _Alias("ChainMap", _collection("ChainMap"))


class TypeVar(_Form):
    def __init__(self, name, *constraints, **named):
        self._name = self.__name__ = name

    def __repr__(self):
        return "~" + self._name


ParamSpec = TypeVarTuple = TypeVar


class _Base:
    pass


class _GenericForm(_Form):
    # Written as a base only with [..]: what that gives is a class.
    def __getitem__(self, _):
        return _Base


Generic = _GenericForm("Generic")


class Protocol:
    pass


class _MadeClass:
    # The interpreter makes a class by calling the type of its first base: a base of these gives what it likes.
    def __new__(cls, name=None, bases=None, space=None, **named):
        if name is None:
            return object.__new__(cls)
        return cls._make(name, space, named) if bases and isinstance(bases[0], cls) else object.__new__(cls)


class _NamedTuple(_MadeClass):
    @staticmethod
    def _make(name, space, named):
        from _classes import members

        known = [key for key in space if key not in ("__module__", "__qualname__", "__doc__")]
        fields = []
        defaults = []
        for key, annotation, has_value in members(name, known):
            if annotation is None:
                continue
            fields.append(key)
            if has_value:
                defaults.append(space.pop(key))
            elif defaults:
                raise TypeError("non-default namedtuple field " + key + " cannot follow default field")
        return _with_methods(name, fields, defaults, space)

    def __call__(self, name, fields=()):
        return _with_methods(name, [key for key, _ in fields], (), {})


def _with_methods(name, fields, defaults, space):
    from collections import namedtuple

    made = namedtuple(name, fields, defaults=defaults)
    for key, value in space.items():
        if key not in ("__module__", "__qualname__"):
            setattr(made, key, value)
    return made


class _TypedDict(_MadeClass):
    @staticmethod
    def _make(name, space, named):
        return dict

    def __call__(self, name, fields=(), **named):
        return dict


NamedTuple = _NamedTuple()
TypedDict = _TypedDict()


def NewType(name, kind):
    return lambda value: value


def cast(kind, value):
    return value


def overload(function):
    return function


final = no_type_check = runtime_checkable = override = overload


def assert_never(value):
    raise AssertionError("Expected code to be unreachable, but got: " + repr(value))


def assert_type(value, kind):
    return value


def reveal_type(value):
    return value
