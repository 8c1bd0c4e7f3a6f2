import itertools as it


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def main(input):
    groups = [[k, list(g)] for k, g in it.groupby([1, 1, 2, 3, 3, 1])]
    lazy = []
    for k, g in it.groupby("AAAABBBCCDAABBB"):
        lazy.append([k, next(g)])
    a, b = it.tee([1, 2, 3])
    c = it.count(5, 2)
    cyc = it.cycle("ab")
    return {
        "accumulate": [list(it.accumulate([1, 2, 3])), list(it.accumulate([3, 1, 2], max)), list(it.accumulate([1, 2], initial=10)), list(it.accumulate([])), list(it.accumulate("abc"))],
        "groupby": [groups, lazy, [[k, len(list(g))] for k, g in it.groupby(["a", "bb", "cc"], key=len)], [k for k, _ in it.groupby([])]],
        "combinations": [list(it.combinations("ABCD", 2)), list(it.combinations(range(4), 3)), list(it.combinations("A", 2)), list(it.combinations("AB", 0))],
        "replacement": [list(it.combinations_with_replacement("ABC", 2)), list(it.combinations_with_replacement("", 1)), list(it.combinations_with_replacement("", 0))],
        "permutations": [list(it.permutations("ABC", 2)), list(it.permutations(range(3))), list(it.permutations("A", 2)), len(list(it.permutations(range(5))))],
        "product": [list(it.product("AB", [1, 2])), list(it.product([0, 1], repeat=3)), list(it.product()), list(it.product("ab", [])), len(list(it.product(range(3), range(4), range(2))))],
        "chain": [list(it.chain("AB", [1])), list(it.chain.from_iterable(["AB", "C"])), list(it.chain())],
        "islice": [list(it.islice("ABCDEFG", 2)), list(it.islice("ABCDEFG", 2, 4)), list(it.islice("ABCDEFG", 2, None)), list(it.islice("ABCDEFG", 0, None, 2)), list(it.islice(it.count(), 3, 10, 3)), list(it.islice("AB", 0))],
        "pairwise": [list(it.pairwise("ABCD")), list(it.pairwise("A")), list(it.pairwise([]))],
        "filters": [list(it.compress("ABCDEF", [1, 0, 1, 0, 1, 1])), list(it.dropwhile(lambda x: x < 5, [1, 4, 6, 4, 1])), list(it.takewhile(lambda x: x < 5, [1, 4, 6, 4, 1])), list(it.filterfalse(lambda x: x % 2, range(6))), list(it.filterfalse(None, [0, 1, ""]))],
        "others": [list(it.starmap(pow, [(2, 5), (3, 2)])), list(it.zip_longest("ABCD", "xy", fillvalue="-")), list(it.zip_longest([1], [], [2, 3])), list(it.repeat(10, 3)), list(it.repeat(1, 0)), [next(c), next(c), next(c)], [next(cyc) for _ in range(5)], list(it.cycle([])), [list(a), list(b)], list(zip(it.count(1), "ab"))],
        "errors": [outcome(lambda: list(it.islice([1], -1))), outcome(lambda: list(it.combinations("a", -1))), outcome(lambda: list(it.chain.from_iterable(5))), outcome(lambda: list(it.accumulate(5)))],
        "rest": [(lambda i: (list(it.islice(i, 2)), list(i)))(iter(range(5)))],
    }
