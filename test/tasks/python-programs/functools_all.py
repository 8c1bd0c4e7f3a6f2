import functools
from functools import cached_property, cmp_to_key, lru_cache, partial, reduce, singledispatch, total_ordering, wraps


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


calls = []


@lru_cache(maxsize=None)
def fib(n):
    calls.append(n)
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@lru_cache(maxsize=2)
def square(n):
    calls.append("s%d" % n)
    return n * n


@functools.cache
def named(a, b=1):
    calls.append("n")
    return a + b


def twice(f):
    @wraps(f)
    def run(*args, **kwargs):
        return f(*args, **kwargs) * 2

    return run


@twice
def greet(name, mark="!"):
    return "hi " + name + mark


class Circle:
    made = 0

    def __init__(self, r):
        self.r = r

    @cached_property
    def area(self):
        Circle.made += 1
        return 3 * self.r**2

    @lru_cache
    def scaled(self, n):
        return self.r * n


@total_ordering
class V:
    def __init__(self, n):
        self.n = n

    def __eq__(self, o):
        return self.n == o.n

    def __lt__(self, o):
        return self.n < o.n


@singledispatch
def show(x):
    return "other"


@show.register(int)
def _(x):
    return "int"


@show.register(list)
def _(x):
    return "list"


def main(input):
    p = partial(pow, 2)
    q = partial(greet, mark=".")
    c = Circle(2)
    out = [fib(30), len(calls), square(1), square(2), square(1), square(3), square(2), calls[31:], fib.cache_info()._asdict(), list(square.cache_info())]
    square.cache_clear()
    out.append(list(square.cache_info()))
    out.append([named(1), named(1), named(1, b=2), named(1, b=2), calls.count("n"), greet("a"), greet("b", mark="?")])
    out.append([p(5), q("x"), p.args, p.func is pow, q.keywords, partial(partial(max, 1), 5)(3)])
    out.append([reduce(lambda a, b: a * b, [1, 2, 3, 4]), reduce(lambda a, b: a + b, [], 7), outcome(lambda: reduce(lambda a, b: a, [])), reduce(max, [3, 9, 2], 5)])
    out.append([c.area, c.area, Circle.made, c.scaled(3), c.scaled(3)])
    out.append([V(1) < V(2), V(1) <= V(1), V(2) > V(1), V(1) >= V(2), max(V(3), V(5)).n, [v.n for v in sorted([V(3), V(1), V(2)])]])
    out.append(sorted([5, 1, 4], key=cmp_to_key(lambda a, b: b - a)))
    out.append([show(1), show([]), show("x")])
    out.append([outcome(lambda: partial(5)), outcome(lambda: fib("x")), outcome(lambda: named([1]))])
    return out
