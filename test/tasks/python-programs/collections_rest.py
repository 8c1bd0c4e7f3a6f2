from collections import ChainMap, OrderedDict, defaultdict, deque, namedtuple


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def deques():
    d = deque([1, 2, 3])
    d.append(4)
    d.appendleft(0)
    out = [list(d), len(d), d[0], d[-1], 3 in d, 9 in d, list(reversed(d))]
    d.rotate(2)
    out.append(list(d))
    d.rotate(-1)
    out.append(list(d))
    d.extend([5, 6])
    d.extendleft([7, 8])
    out.append([d.pop(), d.popleft(), list(d)])
    d.remove(2)
    d.insert(1, "x")
    out.append([list(d), d.index("x"), d.count(0)])
    d.reverse()
    out.append(list(d))
    d[0] = "first"
    del d[1]
    out.append(list(d))
    b = deque(maxlen=2)
    for i in range(5):
        b.append(i)
    out.append([list(b), b.maxlen, repr(b), repr(deque("ab"))])
    b.appendleft(9)
    out.append(list(b))
    out.append([deque([1]) == deque([1]), deque() == deque([1]), bool(deque()), list(deque([1]) + deque([2])), list(deque([1]) * 3)])
    out.append([outcome(lambda: deque().pop()), outcome(lambda: deque().popleft()), outcome(lambda: deque()[0]), outcome(lambda: deque([1]).remove(2)), outcome(lambda: deque([1]).index(2)), outcome(lambda: deque([1], -1))])
    queue = deque([(0, 0)])
    seen = {(0, 0)}
    steps = 0
    while queue:
        x, y = queue.popleft()
        steps += 1
        for dx, dy in ((1, 0), (0, 1)):
            to = (x + dx, y + dy)
            if max(to) < 12 and to not in seen:
                seen.add(to)
                queue.append(to)
    out.append(steps)
    c = d.copy()
    c.clear()
    out.append([len(c), len(d) > 0])
    return out


def tuples():
    P = namedtuple("P", "x y")
    Q = namedtuple("Q", ["a", "b", "c"], defaults=[2, 3])
    R = namedtuple("R", "one, two")
    p = P(1, y=2)
    x, y = p
    return [
        [p.x, p.y, p[0], p[-1], x, y, len(p), repr(p), p == (1, 2), p == P(1, 2), list(p), tuple(p)],
        [P._fields, p._asdict(), p._replace(x=9), P._make([7, 8]), Q(1), Q(1, 5), Q(1, c=9), Q._field_defaults],
        [R(one=1, two=2).two, isinstance(p, tuple), isinstance(p, P), sorted([P(2, 1), P(1, 2)]), {p: "v"}[P(1, 2)], p + (3,), P(1, [2]).y, max(P(1, 2), P(1, 3))],
        [outcome(lambda: P(1)), outcome(lambda: P(1, 2, 3)), outcome(lambda: P(1, z=2)), outcome(lambda: namedtuple("X", "a a")), outcome(lambda: namedtuple("X", "_a")), outcome(lambda: namedtuple("X", "1a")), outcome(lambda: p._replace(q=1)), outcome(lambda: p.nope), outcome(lambda: namedtuple("X", "def"))],
        [namedtuple("X", "a def a", rename=True)._fields, p, [P(3, 4), {"k": P(5, 6)}]],
    ]


def defaults():
    d = defaultdict(list)
    for k, v in [("a", 1), ("b", 2), ("a", 3)]:
        d[k].append(v)
    n = defaultdict(int, {"x": 1})
    n["x"] += 1
    n["y"] += 5
    nested = defaultdict(lambda: defaultdict(int))
    nested["a"]["b"] += 1
    plain = defaultdict()
    s = defaultdict(set)
    s["k"].add(1)
    out = [sorted(d.items()), sorted(n.items()), nested["a"]["b"], "z" in d, d.get("z"), len(d), d == {"a": [1, 3], "b": [2]}]
    out.append([outcome(lambda: plain["q"]), outcome(lambda: defaultdict(5)), isinstance(d, dict), sorted(d), sorted(s["k"]), d.default_factory is list])
    d.pop("a")
    out.append([len(d), sorted(d.keys()), list(d.values()), d.setdefault("new", 4), sorted(n.copy().items()), n.copy()["none"]])
    out.append([d, n, nested])
    return out


def ordered():
    d = OrderedDict([("b", 1), ("a", 2), ("c", 3)])
    d["d"] = 4
    out = [list(d), list(d.items()), d["a"], len(d)]
    d.move_to_end("b")
    out.append(list(d))
    d.move_to_end("d", last=False)
    out.append(list(d))
    out.append([d.popitem(), d.popitem(last=False), list(d)])
    d["a"] = 9
    out.append([list(d.items()), outcome(lambda: d.move_to_end("q")), outcome(lambda: OrderedDict().popitem())])
    return out


def chains():
    c = ChainMap({"a": 1}, {"a": 2, "b": 3})
    child = c.new_child({"c": 4})
    c["z"] = 5
    return [c["a"], c["b"], sorted(c), len(c), "q" in c, c.get("q", 0), sorted(child.items()), sorted(child.parents), c.maps[0], outcome(lambda: c["q"]), c.pop("z"), outcome(lambda: ChainMap({}, {"k": 1}).pop("k"))]


def main(input):
    return [deques(), tuples(), defaults(), ordered(), chains()]
