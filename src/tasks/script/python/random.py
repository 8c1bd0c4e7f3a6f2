import math

from urandom import getrandbits, random, seed as _seed


def seed(a=None, version=2):
    if a is None:
        _seed()
    else:
        _seed(a if isinstance(a, int) else hash(a) & 0x3FFFFFFF)


def _below(n):
    # Any size; the interpreter's own goes up to 32 bits.
    bits = len(bin(n)) - 2
    while True:
        value = 0
        for at in range(0, bits, 30):
            value |= _bits(min(30, bits - at)) << at
        if value < n:
            return value


_bits = getrandbits


def getrandbits(k):
    if k < 0:
        raise ValueError("number of bits must be non-negative")
    return _below(1 << k) if k else 0


def randrange(start, stop=None, step=1):
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ValueError("zero step for randrange()")
    count = (stop - start + step + (-1 if step > 0 else 1)) // step
    if count <= 0:
        raise ValueError("empty range for randrange()")
    return start + step * _below(count)


def randint(a, b):
    return randrange(a, b + 1)


def randbytes(n):
    return bytes([_bits(8) for _ in range(n)])


def choice(seq):
    if not len(seq):
        raise IndexError("Cannot choose from an empty sequence")
    return seq[_below(len(seq))]


def choices(population, weights=None, *, cum_weights=None, k=1):
    population = list(population)
    if not population:
        raise IndexError("Cannot choose from an empty population")
    if weights is None and cum_weights is None:
        return [population[_below(len(population))] for _ in range(k)]
    if weights is not None and cum_weights is not None:
        raise TypeError("Cannot specify both weights and cumulative weights")
    if cum_weights is None:
        cum_weights = []
        total = 0
        for weight in weights:
            total += weight
            cum_weights.append(total)
    cum_weights = list(cum_weights)
    if len(cum_weights) != len(population):
        raise ValueError("The number of weights does not match the population")
    total = cum_weights[-1]
    if not total > 0 or total == math.inf:
        raise ValueError("Total of weights must be greater than zero and finite")
    chosen = []
    for _ in range(k):
        point = random() * total
        low = 0
        high = len(population) - 1
        while low < high:
            middle = (low + high) // 2
            if point < cum_weights[middle]:
                high = middle
            else:
                low = middle + 1
        chosen.append(population[low])
    return chosen


def shuffle(x):
    for i in range(len(x) - 1, 0, -1):
        j = _below(i + 1)
        x[i], x[j] = x[j], x[i]


def sample(population, k, *, counts=None):
    if isinstance(population, (set, frozenset, dict)):
        raise TypeError("Population must be a sequence.  For dicts or sets, use sorted(d).")
    pool = list(population)
    if counts is not None:
        pool = [item for item, count in zip(pool, counts) for _ in range(count)]
    if not 0 <= k <= len(pool):
        raise ValueError("Sample larger than population or is negative")
    for i in range(k):
        j = i + _below(len(pool) - i)
        pool[i], pool[j] = pool[j], pool[i]
    return pool[:k]


def uniform(a, b):
    return a + (b - a) * random()


def triangular(low=0.0, high=1.0, mode=None):
    u = random()
    c = 0.5 if mode is None else (mode - low) / (high - low)
    if u > c:
        u, c, low, high = 1.0 - u, 1.0 - c, high, low
    return low + (high - low) * math.sqrt(u * c)


def gauss(mu=0.0, sigma=1.0):
    return mu + sigma * math.sqrt(-2.0 * math.log(1.0 - random())) * math.cos(math.tau * random())


normalvariate = gauss


def lognormvariate(mu, sigma):
    return math.exp(gauss(mu, sigma))


def expovariate(lambd=1.0):
    return -math.log(1.0 - random()) / lambd


def paretovariate(alpha):
    return (1.0 - random()) ** (-1.0 / alpha)


def weibullvariate(alpha, beta):
    return alpha * (-math.log(1.0 - random())) ** (1.0 / beta)
