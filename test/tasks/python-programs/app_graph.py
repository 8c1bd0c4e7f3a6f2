import heapq
import math
from collections import deque
from functools import lru_cache, reduce
from itertools import combinations, count, permutations, product, takewhile

EDGES = {"a": {"b": 7, "c": 9, "f": 14}, "b": {"a": 7, "c": 10, "d": 15}, "c": {"a": 9, "b": 10, "d": 11, "f": 2}, "d": {"b": 15, "c": 11, "e": 6}, "e": {"d": 6, "f": 9}, "f": {"a": 14, "c": 2, "e": 9}}


def dijkstra(start):
    best = {start: 0}
    heap = [(0, start)]
    while heap:
        cost, at = heapq.heappop(heap)
        if cost > best[at]:
            continue
        for to, weight in EDGES[at].items():
            if cost + weight < best.get(to, math.inf):
                best[to] = cost + weight
                heapq.heappush(heap, (cost + weight, to))
    return best


def layers(start):
    seen = {start: 0}
    queue = deque([start])
    while queue:
        at = queue.popleft()
        for to in sorted(EDGES[at]):
            if to not in seen:
                seen[to] = seen[at] + 1
                queue.append(to)
    return seen


@lru_cache(maxsize=None)
def ways(coins, amount):
    if amount == 0:
        return 1
    if amount < 0 or not coins:
        return 0
    return ways(coins[1:], amount) + ways(coins, amount - coins[0])


def primes():
    found = []
    for n in count(2):
        if all(n % p for p in takewhile(lambda p: p * p <= n, found)):
            found.append(n)
            yield n


def main(input):
    stream = primes()
    queens = [q for q in permutations(range(6)) if len({q[i] + i for i in range(6)}) == len({q[i] - i for i in range(6)}) == 6]
    matrix = [[1, 2], [3, 4]]
    return [
        dijkstra("a"), layers("a"), ways((50, 25, 10, 5, 1), 60), [next(stream) for _ in range(25)], queens, [list(r) for r in zip(*matrix)], [[sum(a * b for a, b in zip(r, c)) for c in zip(*matrix)] for r in matrix],
        reduce(math.gcd, [84, 36, 120]), sum(1 for a, b in combinations(range(20), 2) if math.gcd(a, b) == 1), max(product([1, 5, 3], [2, 4]), key=lambda p: p[0] * p[1]), math.dist((1, 2), (4, 6)), [math.comb(8, k) for k in range(9)],
    ]
