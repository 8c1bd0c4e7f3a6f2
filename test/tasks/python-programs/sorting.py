import heapq
import bisect


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


class Item:
    def __init__(self, n, t):
        self.n = n
        self.t = t

    def __lt__(self, other):
        return self.n < other.n


def main(input):
    pairs = [(i * 7 % 5, i) for i in range(40)]
    large = [(i * 7919 % 97, i) for i in range(500)]
    a = [3, 1, 2]
    a.sort(reverse=True)
    b = pairs[:]
    b.sort(key=lambda p: p[0])
    rows = [{"k": "b", "v": 1}, {"k": "a", "v": 2}, {"k": "b", "v": 0}]
    h = [5, 1, 4]
    heapq.heapify(h)
    heapq.heappush(h, 0)
    n = []
    bisect.insort(n, 3)
    bisect.insort(n, 1)
    bisect.insort(n, 2)
    return {
        "stable": [sorted(pairs, key=lambda p: p[0]), sorted(pairs, key=lambda p: p[0], reverse=True), b, sorted(large, key=lambda p: p[0])[:60], sorted(large, key=lambda p: -p[0], reverse=True)[:60]],
        "plain": [sorted([3, 1, 2]), a, sorted("hello"), sorted([]), sorted([1.5, 1, True, 0]), sorted({"b": 1, "a": 2}), sorted([[2, 1], [1, 5], [1, 2]]), sorted(["b", "A", "a"]), sorted([(1, "x"), (0, "y")], reverse=True)],
        "sorted already": [sorted(range(3000))[-1], sorted(range(3000, 0, -1))[0], sorted([1] * 3000)[5], sorted([i // 10 for i in range(2000)])[1999], sorted((str(i) for i in range(2000)))[:3]],
        "items": [i.t for i in sorted([Item(2, "a"), Item(1, "b"), Item(2, "c"), Item(1, "d")])],
        "rows": [[r["v"] for r in sorted(rows, key=lambda r: r["k"])], sorted(rows, key=lambda r: (r["k"], r["v"]))[0]["v"]],
        "twice": [p for p in sorted(sorted(pairs, key=lambda p: p[1], reverse=True), key=lambda p: p[0])][:10],
        "errors": [outcome(lambda: sorted([1, "a"])), outcome(lambda: sorted(5)), outcome(lambda: sorted([2, 1], key=lambda x: 1 / 0)), outcome(lambda: [1, None].sort()), outcome(lambda: sorted([{}, {}]))],
        "heap": [[heapq.heappop(h) for _ in range(4)], heapq.nlargest(2, [1, 9, 5]), heapq.nsmallest(2, [4, 1, 3]), heapq.nlargest(2, rows, key=lambda r: r["v"]), list(heapq.merge([1, 4], [2, 3], [0])), heapq.heappushpop([1, 3], 2), heapq.heapreplace([1, 3], 5), outcome(lambda: heapq.heappop([])), list(heapq.merge([3, 1], [2], reverse=True)), list(heapq.merge(["a", "ccc"], ["bb"], key=len)), heapq.nlargest(0, [1])],
        "bisect": [n, bisect.bisect_left([1, 2, 2, 3], 2), bisect.bisect_right([1, 2, 2, 3], 2), bisect.bisect([1, 2], 5), bisect.bisect_left([], 1), bisect.bisect_left([(1, "a"), (3, "b")], 2, key=lambda p: p[0]), outcome(lambda: bisect.bisect([1], 1, -1))],
    }
