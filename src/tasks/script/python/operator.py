def _binary(sign):
    return eval("lambda a, b: a " + sign + " b")


lt = _binary("<")
le = _binary("<=")
eq = _binary("==")
ne = _binary("!=")
ge = _binary(">=")
gt = _binary(">")
add = concat = iadd = iconcat = _binary("+")
sub = isub = _binary("-")
mul = imul = _binary("*")
truediv = itruediv = _binary("/")
floordiv = ifloordiv = _binary("//")
mod = imod = _binary("%")
pow = ipow = _binary("**")
and_ = iand = _binary("&")
or_ = ior = _binary("|")
xor = ixor = _binary("^")
lshift = ilshift = _binary("<<")
rshift = irshift = _binary(">>")
is_ = _binary("is")
is_not = _binary("is not")
getitem = lambda a, b: a[b]
contains = lambda a, b: b in a
not_ = lambda a: not a
neg = lambda a: -a
pos = lambda a: +a
inv = invert = lambda a: ~a
truth = bool
_abs = abs
abs = lambda a: _abs(a)
index = lambda a: a if isinstance(a, int) else a.__index__()


def setitem(a, b, c):
    a[b] = c


def delitem(a, b):
    del a[b]


def countOf(a, b):
    return sum(1 for one in a if one is b or one == b)


def indexOf(a, b):
    for at, one in enumerate(a):
        if one is b or one == b:
            return at
    raise ValueError("sequence.index(x): x not in sequence")


def length_hint(obj, default=0):
    return len(obj) if hasattr(obj, "__len__") or isinstance(obj, (list, tuple, str, dict, set, bytes, range)) else default


def itemgetter(item, *items):
    if not items:
        return lambda obj: obj[item]
    items = (item,) + items
    return lambda obj: tuple([obj[one] for one in items])


def attrgetter(attr, *attrs):
    def get(obj, path):
        for name in path.split("."):
            obj = getattr(obj, name)
        return obj

    if not attrs:
        return lambda obj: get(obj, attr)
    attrs = (attr,) + attrs
    return lambda obj: tuple([get(obj, one) for one in attrs])


def methodcaller(name, *args, **named):
    return lambda obj: getattr(obj, name)(*args, **named)


def call(obj, *args, **named):
    return obj(*args, **named)
