class Error(Exception):
    pass


error = Error

_PLAIN = (int, float, str, bytes, bool, complex, type(None), type, type(lambda: 0), range)


def _fresh(x):
    made = object.__new__(type(x))
    return made


def copy(x):
    kind = type(x)
    if kind in _PLAIN or kind is tuple or kind is frozenset:
        return x
    if kind is list:
        return x[:]
    if kind in (dict, set, bytearray):
        return x.copy() if kind is not bytearray else bytearray(x)
    if hasattr(x, "__copy__"):
        return x.__copy__()
    if isinstance(x, (dict, list, set)) and hasattr(x, "copy"):
        return x.copy()
    if isinstance(x, tuple) or not hasattr(x, "__dict__"):
        return x
    made = _fresh(x)
    for name, value in x.__dict__.items():
        object.__setattr__(made, name, value)
    return made


def deepcopy(x, memo=None):
    if memo is None:
        memo = {}
    kind = type(x)
    if kind in _PLAIN:
        return x
    known = memo.get(id(x))
    if known is not None:
        return known[0]
    if kind is list:
        made = []
        memo[id(x)] = (made, x)
        for one in x:
            made.append(deepcopy(one, memo))
    elif kind is dict:
        made = {}
        memo[id(x)] = (made, x)
        for key, value in x.items():
            made[deepcopy(key, memo)] = deepcopy(value, memo)
    elif kind is tuple:
        made = tuple([deepcopy(one, memo) for one in x])
    elif kind is set or kind is frozenset:
        made = kind([deepcopy(one, memo) for one in x])
    elif hasattr(x, "__deepcopy__"):
        made = x.__deepcopy__(memo)
    elif hasattr(x, "_enum"):
        return x
    elif isinstance(x, tuple):
        made = kind(*[deepcopy(one, memo) for one in x])
    elif isinstance(x, dict):
        made = copy(x)
        memo[id(x)] = (made, x)
        for key, value in x.items():
            made[key] = deepcopy(value, memo)
    elif hasattr(x, "__dict__"):
        made = _fresh(x)
        memo[id(x)] = (made, x)
        for name, value in x.__dict__.items():
            object.__setattr__(made, name, deepcopy(value, memo))
    elif hasattr(x, "copy"):
        made = x.copy()
    else:
        made = x
    memo[id(x)] = (made, x)
    return made
