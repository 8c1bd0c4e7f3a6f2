import math


class StatisticsError(ValueError):
    pass


def _numbers(data, least, what):
    data = list(data)
    if len(data) < least:
        raise StatisticsError(what + " requires at least " + ("one data point" if least == 1 else str(least) + " data points"))
    return data


def _sum(data):
    # Exact of integers; of floats as exact as one rounding.
    if all(type(x) is int for x in data):
        return sum(data)
    try:
        return math.fsum(data)
    except TypeError:
        return sum(data)


def _whole(value, data):
    # A result is an integer where all data are and it is one, as of Python's own.
    if isinstance(value, float) and value == value and abs(value) < 1e15 and int(value) == value:
        if all(isinstance(x, int) for x in data):
            return int(value)
    return value


def _mean(data):
    total = _sum(data)
    count = len(data)
    return total // count if isinstance(total, int) and total % count == 0 else total / count


def mean(data):
    return _mean(_numbers(data, 1, "mean"))


def fmean(data, weights=None):
    data = list(data)
    if weights is None:
        return math.fsum(_numbers(data, 1, "fmean")) / len(data)
    weights = list(weights)
    if len(weights) != len(data):
        raise StatisticsError("data and weights must be the same length")
    total = math.fsum(weights)
    if not total:
        raise StatisticsError("sum of weights must be non-zero")
    return math.fsum(x * w for x, w in zip(data, weights)) / total


def geometric_mean(data):
    data = _numbers(data, 1, "geometric mean")
    if any(x <= 0 for x in data):
        raise StatisticsError("geometric mean requires a non-empty dataset containing positive numbers")
    return math.exp(fmean(math.log(x) for x in data))


def harmonic_mean(data, weights=None):
    data = _numbers(data, 1, "harmonic_mean")
    weights = [1] * len(data) if weights is None else list(weights)
    if len(weights) != len(data):
        raise StatisticsError("Number of weights does not match data size")
    if any(x < 0 for x in data) or any(w < 0 for w in weights):
        raise StatisticsError("harmonic mean does not support negative values")
    if len(data) == 1:
        return data[0]
    total = _sum(weights)
    if total <= 0:
        raise StatisticsError("Weighted sum must be positive")
    if any(x == 0 for x, w in zip(data, weights) if w):
        return 0
    return total / math.fsum(w / x if w else 0 for x, w in zip(data, weights))


def _sorted(data, what):
    data = sorted(data)
    if not data:
        raise StatisticsError("no median for empty data" if what is None else what)
    return data


def median(data):
    data = _sorted(data, None)
    half = len(data) // 2
    return data[half] if len(data) % 2 else (data[half - 1] + data[half]) / 2


def median_low(data):
    data = _sorted(data, None)
    return data[(len(data) - 1) // 2]


def median_high(data):
    data = _sorted(data, None)
    return data[len(data) // 2]


def median_grouped(data, interval=1):
    data = _sorted(data, None)
    count = len(data)
    x = data[count // 2]
    below = sum(1 for y in data if y < x)
    same = data.count(x)
    return float(x) - interval / 2 + interval * (count / 2 - below) / same


def _counts(data):
    from collections import Counter

    return Counter(data).most_common()


def mode(data):
    counts = _counts(data)
    if not counts:
        raise StatisticsError("no mode for empty data")
    return counts[0][0]


def multimode(data):
    counts = _counts(data)
    return [value for value, count in counts if count == counts[0][1]]


def variance(data, xbar=None):
    data = _numbers(data, 2, "variance")
    return _variance(data, xbar, len(data) - 1)


def pvariance(data, mu=None):
    data = _numbers(data, 1, "pvariance")
    return _variance(data, mu, len(data))


def _variance(data, center, divisor):
    count = len(data)
    if center is None and all(type(x) is int for x in data):
        total = sum(data)
        value = count * sum(x * x for x in data) - total * total
        divisor *= count
        return value // divisor if value % divisor == 0 else value / divisor
    if center is None:
        center = _mean(data)
    return _whole(_sum([(x - center) ** 2 for x in data]) / divisor, data)


def stdev(data, xbar=None):
    return math.sqrt(variance(data, xbar))


def pstdev(data, mu=None):
    return math.sqrt(pvariance(data, mu))


def quantiles(data, *, n=4, method="exclusive"):
    if n < 1:
        raise StatisticsError("n must be at least 1")
    data = sorted(data)
    if len(data) < 2:
        raise StatisticsError("must have at least two data points")
    if method not in ("inclusive", "exclusive"):
        raise ValueError("Unknown method: " + repr(method))
    whole = len(data) - 1 if method == "inclusive" else len(data) + 1
    cuts = []
    for i in range(1, n):
        j = i * whole // n
        if method == "inclusive":
            delta = i * whole - j * n
            cuts.append((data[j] * (n - delta) + data[j + 1] * delta) / n)
        else:
            j = 1 if j < 1 else len(data) - 1 if j > len(data) - 1 else j
            delta = i * whole - j * n
            cuts.append((data[j - 1] * (n - delta) + data[j] * delta) / n)
    return cuts


def _pairs(x, y, what):
    x = list(x)
    y = list(y)
    if len(x) != len(y):
        raise StatisticsError(what + " requires that both inputs have same number of data points")
    if len(x) < 2:
        raise StatisticsError(what + " requires at least two data points")
    mx = math.fsum(x) / len(x)
    my = math.fsum(y) / len(y)
    dx = [v - mx for v in x]
    dy = [v - my for v in y]
    return mx, my, _dot(dx, dy), _dot(dx, dx), _dot(dy, dy), len(x)


def _dot(a, b):
    return math.fsum(p * q for p, q in zip(a, b))


def covariance(x, y):
    _, _, xy, _, _, count = _pairs(x, y, "covariance")
    return xy / (count - 1)


def correlation(x, y):
    _, _, xy, xx, yy, _ = _pairs(x, y, "correlation")
    if xx == 0 or yy == 0:
        raise StatisticsError("at least one of the inputs is constant")
    return xy / math.sqrt(xx * yy)


def linear_regression(x, y, *, proportional=False):
    from collections import namedtuple

    x = list(x)
    y = list(y)
    mx, my, xy, xx, _, _ = _pairs(x, y, "linear regression")
    if proportional:
        xy = _dot(x, y)
        xx = _dot(x, x)
    if xx == 0:
        raise StatisticsError("x is constant")
    slope = xy / xx
    return namedtuple("LinearRegression", ("slope", "intercept"))(slope, 0.0 if proportional else my - slope * mx)


class NormalDist:
    def __init__(self, mu=0.0, sigma=1.0):
        if sigma < 0.0:
            raise StatisticsError("sigma must be non-negative")
        self.mean = float(mu)
        self.stdev = float(sigma)

    @property
    def variance(self):
        return self.stdev * self.stdev

    def pdf(self, x):
        if not self.variance:
            raise StatisticsError("pdf() not defined when sigma is zero")
        return math.exp((x - self.mean) ** 2 / (-2.0 * self.variance)) / math.sqrt(math.tau * self.variance)

    def cdf(self, x):
        if not self.stdev:
            raise StatisticsError("cdf() not defined when sigma is zero")
        return 0.5 * math.erfc((self.mean - x) / (self.stdev * math.sqrt(2.0)))

    def zscore(self, x):
        if not self.stdev:
            raise StatisticsError("zscore() not defined when sigma is zero")
        return (x - self.mean) / self.stdev

    def __repr__(self):
        return "NormalDist(mu=" + repr(self.mean) + ", sigma=" + repr(self.stdev) + ")"
