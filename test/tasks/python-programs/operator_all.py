import operator as op


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


class A:
    def __init__(self):
        self.x = 1
        self.b = self

    def f(self, n, k=0):
        return n + k


def main(input):
    d = {"a": 1}
    op.setitem(d, "b", 2)
    op.delitem(d, "a")
    rows = [{"n": 2, "k": "b"}, {"n": 1, "k": "a"}, {"n": 2, "k": "a"}]
    return [
        [f(7, 3) for f in (op.add, op.sub, op.mul, op.truediv, op.floordiv, op.mod, op.pow, op.and_, op.or_, op.xor, op.lshift, op.rshift, op.lt, op.le, op.eq, op.ne, op.ge, op.gt)],
        [op.neg(3), op.pos(3), op.invert(3), op.not_(0), op.truth([]), op.abs(-2), op.index(4), op.is_(None, None), op.is_not(1, None)],
        op.itemgetter(1)("abc"), op.itemgetter(2, 0)("abc"), op.itemgetter("k")({"k": 5}), sorted(rows, key=op.itemgetter("n", "k")),
        op.attrgetter("x")(A()), op.attrgetter("b.x", "x")(A()), op.methodcaller("f", 1, k=2)(A()), op.methodcaller("upper")("a"),
        op.contains([1], 1), op.countOf([1, 2, 1], 1), op.indexOf([5, 6], 6), op.concat([1], [2]), op.getitem([1, 2], 1), d,
        outcome(lambda: op.itemgetter("q")({})), outcome(lambda: op.attrgetter("nope")(1)), outcome(lambda: op.truediv(1, 0)), outcome(lambda: op.indexOf([], 1)), outcome(lambda: op.itemgetter()),
    ]
