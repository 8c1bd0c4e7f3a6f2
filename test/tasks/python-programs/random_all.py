import random
import uuid


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def main(input):
    random.seed(42)
    a = [random.random() for _ in range(5)]
    random.seed(42)
    b = [random.random() for _ in range(5)]
    n = [random.randint(1, 6) for _ in range(600)]
    u = [random.uniform(-1, 1) for _ in range(200)]
    g = [random.gauss(10, 2) for _ in range(3000)]
    s = list(range(50))
    random.shuffle(s)
    chosen = random.choices("abc", weights=[1, 0, 3], k=400)
    k = random.sample(range(100), 10)
    w = uuid.uuid4()
    return [
        a == b, all(0 <= x < 1 for x in a), min(n), max(n), all(-1 <= x <= 1 for x in u), 9.7 < sum(g) / len(g) < 10.3, s != list(range(50)), sorted(s) == list(range(50)),
        "b" in chosen, chosen.count("c") > chosen.count("a"), len(k), len(set(k)), random.choice([7]), random.choices([1], k=3), random.sample("a", 1), random.randrange(5, 6), random.randrange(0, 10, 5) in (0, 5),
        random.getrandbits(70) < 2**70, len(random.randbytes(4)), random.choices("ab", cum_weights=[0, 1], k=2), 1 < random.triangular(1, 3, 2) < 3, random.expovariate(1) > 0, random.normalvariate(0, 0.0),
        outcome(lambda: random.choice([])), outcome(lambda: random.sample([1], 2)), outcome(lambda: random.randint(2, 1)), outcome(lambda: random.choices([], k=1)), outcome(lambda: random.choices([1, 2], weights=[1])), outcome(lambda: random.randrange(0)), outcome(lambda: random.sample({1}, 1)),
        str(w)[14], len(str(w)), w.version, w == uuid.UUID(str(w)), w.hex == str(w).replace("-", ""), len(w.bytes), w != uuid.uuid4(), str(uuid.UUID("{12345678-1234-5678-1234-567812345678}")), uuid.UUID(int=5).hex, repr(uuid.UUID(int=1)), outcome(lambda: uuid.UUID("x")),
        uuid.UUID(bytes=b"\x01" * 16).urn, uuid.UUID(int=1) < uuid.UUID(int=2), random.randint(10**20, 10**20) == 10**20,
    ]
