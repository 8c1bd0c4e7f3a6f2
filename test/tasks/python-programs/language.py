from abc import ABC, ABCMeta, abstractmethod
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


log = []


@contextmanager
def tag(name):
    log.append("+" + name)
    try:
        yield name
    except ValueError:
        log.append("!" + name)
    finally:
        log.append("-" + name)


class Shape(ABC):
    @abstractmethod
    def area(self):
        """Of the shape."""

    def text(self):
        return "%s %d" % (type(self).__name__, self.area())


class Square(Shape):
    def __init__(self, n):
        self.n = n

    def area(self):
        return self.n**2


class Meta(metaclass=ABCMeta):
    x = 5


class Thing:
    def close(self):
        log.append("closed")


def recursive(n):
    return recursive(n + 1)


def missing():
    import numpy


def main(input):
    with tag("a") as a:
        log.append(a)
    with tag("b"):
        raise ValueError("x")
    with suppress(KeyError, IndexError):
        {}["q"]
    with closing(Thing()):
        pass
    with nullcontext(5) as five:
        pass
    with ExitStack() as stack:
        stack.enter_context(tag("s1"))
        stack.callback(log.append, "callback")
        stack.enter_context(tag("s2"))

    def other():
        with tag("c"):
            raise KeyError("k")

    try:
        missing()
        found = "numpy"
    except ModuleNotFoundError:
        found = "none"
    try:
        b"\xff".decode("utf-8")
    except UnicodeDecodeError:
        decoded = "no"
    return [
        log, outcome(other), log[-1], five, Square(3).text(), Meta.x, isinstance(Square(1), Shape), found in ("none", "numpy"), decoded,
        vars(Square(2)), format(3.14159, ".2f"), format(5, ">4"), format("x"), ascii("é\n"), outcome(lambda: vars(5)) in ("! TypeError", "! AttributeError"),
        [x for x in range(3) if x], {k: v for k, v in zip("ab", [1, 2])}, (lambda *a, **k: [a, k])(1, b=2), f"{1 + 1} {'x'!r} {3.14159:.2f} {1000000:,} {0.25:.0%} {'a':<3}|{255:x}|{5:03d}",
        "%s %d %.2f %5s|%-5s|%x" % ("a", 1, 2.5, "r", "l", 255), "{:>5} {0!r} {k}".replace("{:>5}", "{1:>5}").format("x", "y", k=1), sum([1, 2], 5), max([1, 5, 3], key=lambda v: -v), any([0, 1]), all([]),
        divmod(-7, 2), -7 // 2, -7 % 3, 2**10, 7 / 2, round(2.5), round(3.5), round(1.005, 2), int("12"), int("-0x1f", 16), float("1e3"), bool([]), abs(-5), list(map(str, [1, 2])), list(filter(None, [0, 1])), list(reversed([1, 2])),
        outcome(lambda: 1 / 0), outcome(lambda: [][1]), outcome(lambda: {}["a"]), outcome(lambda: int("x")), outcome(lambda: "a" + 1), outcome(lambda: None.x), outcome(lambda: undefined), outcome(lambda: [1, 2].remove(3)), outcome(lambda: next(iter([]))), outcome(lambda: (1, 2)[5]), outcome(lambda: len(5)),
    ]
