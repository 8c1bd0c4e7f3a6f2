from copy import deepcopy
from functools import total_ordering


@total_ordering
class Fraction:
    def __init__(self, a, b=1):
        from math import gcd

        if b == 0:
            raise ZeroDivisionError("b")
        g = gcd(a, b) * (-1 if b < 0 else 1)
        self.a, self.b = a // g, b // g

    def __add__(self, o):
        return Fraction(self.a * o.b + o.a * self.b, self.b * o.b)

    def __mul__(self, o):
        return Fraction(self.a * o.a, self.b * o.b)

    def __eq__(self, o):
        return (self.a, self.b) == (o.a, o.b)

    def __lt__(self, o):
        return self.a * o.b < o.a * self.b

    def __hash__(self):
        return hash((self.a, self.b))

    def __repr__(self):
        return "%d/%d" % (self.a, self.b)


class Stack:
    def __init__(self, items=()):
        self.items = list(items)

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(reversed(self.items))

    def __getitem__(self, i):
        return self.items[i]

    def __contains__(self, x):
        return x in self.items

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.items.append(kind.__name__ if kind else "fine")
        return True


def main(input):
    f = [Fraction(1, 2), Fraction(2, 4), Fraction(-3, -9), Fraction(5, -10)]
    s = Stack("ab")
    with s as t:
        t.items.append("c")
        raise KeyError("x")
    c = deepcopy(s)
    c.items.append("only copy")
    try:
        Fraction(1, 0)
    except ArithmeticError as error:
        caught = type(error).__name__
    return [repr(sorted(f)), repr(f[0] + f[2]), repr(f[0] * f[3]), f[0] == f[1], f[0] >= f[2], max(f).a, sorted((x.a, x.b) for x in set(f)), len(s), list(s), "b" in s, s[0], len(c), bool(Stack()), caught]
