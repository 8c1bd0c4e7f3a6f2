class partial:
    def __init__(self, func, *args, **keywords):
        if not callable(func):
            raise TypeError("the first argument must be callable")
        self.func = func
        self.args = args
        self.keywords = keywords

    def __call__(self, *args, **keywords):
        named = self.keywords.copy()
        named.update(keywords)
        return self.func(*(self.args + args), **named)


class partialmethod(partial):
    def __get__(self, instance, owner):
        return partial(self.func, instance, *self.args, **self.keywords)


def reduce(function, iterable, *initial):
    items = iter(iterable)
    if initial:
        value = initial[0]
    else:
        for value in items:
            break
        else:
            raise TypeError("reduce() of empty iterable with no initial value")
    for item in items:
        value = function(value, item)
    return value


WRAPPER_ASSIGNMENTS = ("__module__", "__name__", "__qualname__", "__doc__")
WRAPPER_UPDATES = ("__dict__",)


def update_wrapper(wrapper, wrapped, *_, **__):
    # The interpreter's functions take no attributes.
    return wrapper


def wraps(wrapped, *_, **__):
    return lambda wrapper: wrapper


def cmp_to_key(compare):
    class Key:
        def __init__(self, obj):
            self.obj = obj

        def __lt__(self, other):
            return compare(self.obj, other.obj) < 0

        def __gt__(self, other):
            return compare(self.obj, other.obj) > 0

        def __eq__(self, other):
            return compare(self.obj, other.obj) == 0

        def __le__(self, other):
            return compare(self.obj, other.obj) <= 0

        def __ge__(self, other):
            return compare(self.obj, other.obj) >= 0

    return Key




def lru_cache(maxsize=128, typed=False):
    if callable(maxsize):
        return _Cached(maxsize, 128, typed)
    return lambda function: _Cached(function, maxsize, typed)


def cache(function):
    return _Cached(function, None, False)


class _Cached:
    def __init__(self, function, maxsize, typed):
        self.__wrapped__ = function
        self._maxsize = maxsize if maxsize is None else max(0, maxsize)
        self._typed = typed
        self.cache_clear()

    def __call__(self, *args, **named):
        key = args
        if named:
            key = (args, tuple(sorted(named.items())))
        if self._typed:
            key = (key, tuple([type(one) for one in args]))
        known = self._known
        at = known.get(key)
        if at is not None:
            self._hits += 1
            if self._maxsize is not None:
                self._used += 1
                at[1] = self._used
            return at[0]
        value = self.__wrapped__(*args, **named)
        self._misses += 1
        if self._maxsize is None:
            known[key] = (value,)
        elif self._maxsize > 0:
            self._used += 1
            known[key] = [value, self._used]
            if len(known) > self._maxsize:
                del known[min(known, key=lambda key: known[key][1])]
        return value

    def __get__(self, instance, owner):
        return self if instance is None else partial(self, instance)

    def cache_clear(self):
        self._known = {}
        self._hits = self._misses = self._used = 0

    def cache_info(self):
        from collections import namedtuple

        info = namedtuple("CacheInfo", ("hits", "misses", "maxsize", "currsize"))
        return info(self._hits, self._misses, self._maxsize, len(self._known))

    def cache_parameters(self):
        return {"maxsize": self._maxsize, "typed": self._typed}


class cached_property:
    def __init__(self, func):
        self.func = func
        self.attrname = None

    def __set_name__(self, owner, name):
        self.attrname = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        kept = "_cached_" + self.attrname
        if not hasattr(instance, kept):
            setattr(instance, kept, self.func(instance))
        return getattr(instance, kept)


def total_ordering(cls):
    known = cls.__dict__
    less = known.get("__lt__")
    if less is None:
        if "__gt__" in known:
            greater = known["__gt__"]
            less = lambda self, other: greater(other, self)
        elif "__le__" in known:
            at_most = known["__le__"]
            less = lambda self, other: at_most(self, other) and not self == other
        elif "__ge__" in known:
            at_least = known["__ge__"]
            less = lambda self, other: not at_least(self, other)
        else:
            raise ValueError("must define at least one ordering operation: < > <= >=")
    for name, method in (
        ("__lt__", less),
        ("__gt__", lambda self, other: not less(self, other) and not self == other),
        ("__le__", lambda self, other: less(self, other) or self == other),
        ("__ge__", lambda self, other: not less(self, other)),
    ):
        if name not in known:
            setattr(cls, name, method)
    return cls


def singledispatch(function):
    return _Dispatched(function)


class _Dispatched:
    def __init__(self, function):
        self.registry = {object: function}

    def register(self, kind, function=None):
        if function is None:
            return lambda function: self.register(kind, function)
        self.registry[kind] = function
        return function

    def dispatch(self, kind):
        best = object
        for known in self.registry:
            if issubclass(kind, known) and issubclass(known, best):
                best = known
        return self.registry[best]

    def __call__(self, *args, **named):
        return self.dispatch(type(args[0]))(*args, **named)
