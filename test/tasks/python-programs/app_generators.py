from itertools import chain, groupby, islice, zip_longest


def flatten(value):
    for one in value:
        if isinstance(one, (list, tuple)):
            yield from flatten(one)
        else:
            yield one


def running():
    total = 0
    while True:
        got = yield total
        if got is None:
            return "ended"
        total += got


def outer(log):
    try:
        log.append((yield from running()))
        yield "last"
    finally:
        log.append("closed")


def chunks(items, n):
    items = iter(items)
    return iter(lambda: list(islice(items, n)), [])


def main(input):
    log = []
    g = outer(log)
    sent = [next(g), g.send(3), g.send(4), g.send(None)]
    g.close()
    h = running()
    next(h)
    try:
        h.throw(ValueError("inside"))
    except ValueError as error:
        thrown = str(error)
    runs = "".join("%s%d" % (k, len(list(v))) for k, v in groupby("aaabccd"))
    return [
        list(flatten([1, [2, (3, [4])], [], 5])), sent, log, thrown, list(zip_longest(*[iter("abcdefg")] * 3, fillvalue="x")), runs, sum(x * x for x in range(10) if x % 2), list(chain.from_iterable([i] * i for i in range(4))),
        sorted({x % 3 for x in range(7)}), [[i, j] for i in range(3) for j in range(i)], next((x for x in [1, 2] if x > 5), "none"), list(map(lambda a, b: a * b, [1, 2], [3, 4])), dict(zip("ab", range(2))), any(x > 3 for x in range(5)),
        [list(c) for c in (islice(range(10), 2, 8, 3),)],
    ]
