import copy
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


class Node:
    def __init__(self, v):
        self.v = v
        self.next = None
        self.items = [v]


class Custom:
    def __copy__(self):
        return "copied"

    def __deepcopy__(self, memo):
        return "deep"


P = namedtuple("P", "x y")


def main(input):
    a = [1, [2, 3], {"k": [4]}]
    s = copy.copy(a)
    d = copy.deepcopy(a)
    a[1].append(9)
    a[2]["k"].append(8)
    n = Node(1)
    n.next = n
    m = copy.deepcopy(n)
    k = copy.copy(n)
    loop = [1]
    loop.append(loop)
    loop2 = copy.deepcopy(loop)
    shared = [0]
    both = copy.deepcopy([shared, shared])
    c = copy.deepcopy(defaultdict(list, {"a": [1]}))
    c["b"].append(2)
    return [
        s, d, m is not n, m.next is m, m.items is not n.items, k.items is n.items, k is not n, loop2[1] is loop2, loop2 is not loop, both[0] is both[1], copy.copy(Custom()), copy.deepcopy(Custom()), copy.copy((1, 2)), copy.deepcopy(P([1], 2)),
        copy.copy({"a": 1}), sorted(copy.copy({1, 2})), copy.deepcopy("x"), copy.deepcopy(None), copy.copy(5), sorted(copy.deepcopy(Counter("aab")).items()), list(copy.deepcopy(OrderedDict([("z", 1), ("a", [2])])).items()), sorted(c.items()), copy.deepcopy({(1, 2): {3}})[(1, 2)] == {3}, copy.copy(len) is len,
    ]
