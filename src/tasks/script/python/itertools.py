class count:
    def __init__(self, start=0, step=1):
        self._next = start
        self._step = step

    def __iter__(self):
        return self

    def __next__(self):
        value = self._next
        self._next = value + self._step
        return value


class chain:
    def __new__(cls, *iterables):
        return _chained(iterables)

    @staticmethod
    def from_iterable(iterables):
        return _chained(iterables)


def _chained(iterables):
    for one in iterables:
        yield from one


def cycle(iterable):
    saved = []
    for item in iterable:
        yield item
        saved.append(item)
    while saved:
        yield from saved


def repeat(item, times=None):
    if times is None:
        while True:
            yield item
    for _ in range(times):
        yield item


def accumulate(iterable, func=None, *, initial=None):
    items = iter(iterable)
    total = initial
    if initial is None:
        for total in items:
            break
        else:
            return
    yield total
    for item in items:
        total = total + item if func is None else func(total, item)
        yield total


def batched(iterable, n):
    if n < 1:
        raise ValueError("n must be at least one")
    items = iter(iterable)
    while True:
        batch = tuple(islice(items, n))
        if not batch:
            return
        yield batch


def combinations(iterable, r):
    pool = tuple(iterable)
    n = len(pool)
    if r < 0:
        raise ValueError("r must be non-negative")
    if r > n:
        return
    at = list(range(r))
    while True:
        yield tuple([pool[i] for i in at])
        i = r - 1
        while i >= 0 and at[i] == i + n - r:
            i -= 1
        if i < 0:
            return
        at[i] += 1
        for j in range(i + 1, r):
            at[j] = at[j - 1] + 1


def combinations_with_replacement(iterable, r):
    pool = tuple(iterable)
    n = len(pool)
    if r < 0:
        raise ValueError("r must be non-negative")
    if not n and r:
        return
    at = [0] * r
    while True:
        yield tuple([pool[i] for i in at])
        i = r - 1
        while i >= 0 and at[i] == n - 1:
            i -= 1
        if i < 0:
            return
        at[i:] = [at[i] + 1] * (r - i)


def permutations(iterable, r=None):
    pool = tuple(iterable)
    n = len(pool)
    r = n if r is None else r
    if r < 0:
        raise ValueError("r must be non-negative")
    if r > n:
        return
    at = list(range(n))
    cycles = list(range(n, n - r, -1))
    while True:
        yield tuple([pool[i] for i in at[:r]])
        i = r - 1
        while i >= 0:
            cycles[i] -= 1
            if cycles[i] == 0:
                at[i:] = at[i + 1 :] + at[i : i + 1]
                cycles[i] = n - i
                i -= 1
            else:
                j = n - cycles[i]
                at[i], at[j] = at[j], at[i]
                break
        if i < 0:
            return


def product(*iterables, repeat=1):
    if repeat < 0:
        raise ValueError("repeat argument cannot be negative")
    pools = [tuple(one) for one in iterables] * repeat
    if not all(pools):
        return
    at = [0] * len(pools)
    while True:
        yield tuple([pool[i] for pool, i in zip(pools, at)])
        i = len(pools) - 1
        while i >= 0:
            at[i] += 1
            if at[i] < len(pools[i]):
                break
            at[i] = 0
            i -= 1
        if i < 0:
            return


def compress(data, selectors):
    return (item for item, chosen in zip(data, selectors) if chosen)


def dropwhile(predicate, iterable):
    items = iter(iterable)
    for item in items:
        if not predicate(item):
            yield item
            break
    yield from items


def takewhile(predicate, iterable):
    for item in iterable:
        if not predicate(item):
            return
        yield item


def filterfalse(predicate, iterable):
    for item in iterable:
        if not (item if predicate is None else predicate(item)):
            yield item


def groupby(iterable, key=None):
    items = iter(iterable)
    state = [None, None, True]  # The item that is next, its key, whether there is none.

    def step():
        for item in items:
            state[:] = item, item if key is None else key(item), False
            return
        state[2] = True

    def group(wanted):
        while not state[2] and state[1] == wanted:
            yield state[0]
            step()

    step()
    while not state[2]:
        wanted = state[1]
        members = group(wanted)
        yield wanted, members
        for _ in members:
            pass


def islice(iterable, *bounds):
    start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (bounds + (None,))[:3]
    start = 0 if start is None else start
    step = 1 if step is None else step
    if start < 0 or (stop is not None and stop < 0) or step < 1:
        raise ValueError("Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize.")
    return _sliced(iterable, start, stop, step)


def _sliced(iterable, start, stop, step):
    if stop is not None and start >= stop:
        for at, _ in zip(range(stop), iterable):
            pass
        return
    at = 0
    wanted = start
    for item in iterable:
        if at == wanted:
            yield item
            wanted += step
        at += 1
        if stop is not None and at >= stop:
            return


def pairwise(iterable):
    items = iter(iterable)
    for before in items:
        break
    else:
        return
    for item in items:
        yield before, item
        before = item


def starmap(function, iterable):
    for args in iterable:
        yield function(*args)


def tee(iterable, n=2):
    if n < 0:
        raise ValueError("n must be >= 0")
    items = iter(iterable)
    waiting = [[] for _ in range(n)]

    def branch(mine):
        while True:
            if not mine:
                for item in items:
                    for one in waiting:
                        one.append(item)
                    break
                else:
                    return
            yield mine.pop(0)

    return tuple([branch(one) for one in waiting])


def zip_longest(*iterables, fillvalue=None):
    sources = [iter(one) for one in iterables]
    left = len(sources)
    while left:
        row = []
        for at, source in enumerate(sources):
            item = fillvalue
            if source is not None:
                for item in source:
                    break
                else:
                    sources[at] = None
                    left -= 1
            row.append(item)
        if left:
            yield tuple(row)
