from collections import Counter


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def main(input):
    words = "the quick brown fox jumps over the lazy dog the end fox".split()
    c = Counter(words)
    d = Counter("abracadabra")
    e = Counter(a=3, b=1, c=-2)
    f = Counter({"x": 4, "y": 2})
    out = {
        "common": [list(p) for p in c.most_common(3)],
        "all": [list(p) for p in d.most_common()],
        "one": [list(p) for p in d.most_common(1)],
        "none": [Counter().most_common(), Counter("a").most_common(0), len(Counter())],
        "missing": [c["nothing"], "nothing" in c, c["the"]],
        "elements": sorted(d.elements()),
        "in order": list(Counter("zyxzyz").elements()),
        "total": [d.total(), e.total(), sum(c.values())],
        "length": [len(c), len(d)],
        "add": sorted((d + Counter("aaz")).items()),
        "sub": sorted((d - Counter("aabz")).items()),
        "and": sorted((d & Counter("aabz")).items()),
        "or": sorted((d | Counter("aaaaaaz")).items()),
        "pos": sorted((+e).items()),
        "neg": sorted((-e).items()),
        "eq": [Counter("ab") == Counter("ba"), Counter("ab") == Counter("abc"), Counter(a=1) == {"a": 1}, Counter(a=0) == Counter()],
        "le": [Counter("ab") <= Counter("aab"), Counter("aab") < Counter("ab"), Counter("ab") >= Counter("a")],
        "keys": sorted(c), "items": sorted(map(list, f.items())),
        "is": [isinstance(c, dict), isinstance(c, Counter)],
        "get": [c.get("fox"), c.get("zebra", 7)],
        "repr": [repr(Counter()), repr(Counter("aab"))],
        "errors": [outcome(lambda: Counter.fromkeys("abc")), outcome(lambda: Counter(5)), outcome(lambda: Counter([[1]]))],
    }
    f.update("xxz")
    out["updated"] = sorted(f.items())
    f.update({"y": 10})
    f.update(q=2)
    f.subtract({"x": 1, "n": 3})
    out["subtracted"] = sorted(f.items())
    f["x"] += 5
    del f["y"]
    del f["not there"]
    out["changed"] = sorted(f.items())
    out["popped"] = [f.pop("x"), outcome(lambda: f.pop("x"))]
    g = f.copy()
    g["new"] = 1
    out["copied"] = ["new" in f, "new" in g, type(g).__name__]
    out["nested"] = [list(p) for p in Counter([(1, 2), (1, 2), (3,)]).most_common()]
    out["ties"] = [k for k, _ in Counter("one two three four five six".split()).most_common()]
    out["numbers"] = [list(p) for p in Counter([3, 1, 2, 3, 1, 3]).most_common(2)]
    out["json"] = Counter("hello")
    return out
