from uheapq import heapify, heappop, heappush


def heappushpop(heap, item):
    if heap and heap[0] < item:
        item, heap[0] = heap[0], item
        _sift(heap)
    return item


def heapreplace(heap, item):
    top = heap[0]
    heap[0] = item
    _sift(heap)
    return top


def _sift(heap):
    # The first may be too large.
    count = len(heap)
    at = 0
    item = heap[0]
    while True:
        child = 2 * at + 1
        if child >= count:
            break
        if child + 1 < count and heap[child + 1] < heap[child]:
            child += 1
        if not heap[child] < item:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item


def nlargest(n, iterable, key=None):
    return sorted(iterable, key=key, reverse=True)[: max(n, 0)]


def nsmallest(n, iterable, key=None):
    return sorted(iterable, key=key)[: max(n, 0)]


def merge(*iterables, key=None, reverse=False):
    rows = []
    for place, one in enumerate(iterables):
        one = iter(one)
        for item in one:
            rows.append([item if key is None else key(item), place, item, one])
            break
    while rows:
        best = rows[0]
        for row in rows:
            if (row[0] > best[0]) if reverse else (row[0] < best[0]):
                best = row
        yield best[2]
        for item in best[3]:
            best[0] = item if key is None else key(item)
            best[2] = item
            break
        else:
            rows.remove(best)
