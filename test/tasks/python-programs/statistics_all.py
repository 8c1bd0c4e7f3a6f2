import statistics as s


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def main(input):
    data = [
        [1, 2, 3, 4], [1.5, 2.5, 4.0], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5], [0.1] * 10, [5], [2, 2], [-1, 0, 1], [1e16, 1.0, -1e16], [0.1, 0.2, 0.3, 1e-9],
        list(range(100)), [10**10, 10**10 + 2], [1, 2.5], [98.6, 98.7, 99.1, 97.3, 101.2], [True, False, True],
    ]
    out = {}
    for f in ("mean", "fmean", "median", "median_low", "median_high", "median_grouped", "mode", "multimode", "stdev", "pstdev", "variance", "pvariance", "quantiles", "geometric_mean", "harmonic_mean"):
        g = getattr(s, f)
        out[f] = [outcome(lambda: g(d)) for d in data] + [outcome(lambda: g([]))]
    x = [1, 2, 3, 4, 5]
    y = [2.2, 4.1, 6.2, 7.9, 10.1]
    line = s.linear_regression(x, y)
    slope, intercept = line
    out["pairs"] = [
        s.correlation(x, y), s.covariance(x, y), line.slope, line.intercept, slope, intercept, list(s.linear_regression(x, y, proportional=True)),
        outcome(lambda: s.correlation([1], [1])), outcome(lambda: s.correlation([1, 1], [1, 2])), outcome(lambda: s.linear_regression([1, 1], [1, 2])),
        outcome(lambda: s.correlation([1, 2], [1])), outcome(lambda: s.covariance([], [])),
    ]
    out["quantiles"] = [s.quantiles(x, n=n, method=m) for n in (1, 2, 3, 4, 10) for m in ("inclusive", "exclusive")]
    out["more"] = [
        outcome(lambda: s.quantiles([1], n=4)), outcome(lambda: s.quantiles(x, n=0)), outcome(lambda: s.quantiles(x, method="x")), s.mode("aabbb"), s.multimode("aabb"),
        s.mode(["red", "blue", "blue"]), s.mean(i for i in x), s.stdev(x, 3), s.pvariance(x, 3), s.variance([2.5, 3.25], 2.875), s.fmean([1, 2, 3], weights=[3, 1, 1]), s.harmonic_mean([40, 60], weights=[5, 30]),
        outcome(lambda: s.harmonic_mean([-1, 1])), s.harmonic_mean([0, 1]), outcome(lambda: s.geometric_mean([0, 1])), outcome(lambda: s.geometric_mean([-1, 1])), outcome(lambda: s.fmean([1, 2], weights=[1])), outcome(lambda: s.mean(["a", "b"])), issubclass(s.StatisticsError, ValueError),
    ]
    n = s.NormalDist(100, 15)
    out["normal"] = [n.mean, n.stdev, n.variance, n.pdf(110), n.cdf(110), n.zscore(130), repr(n)]
    return out
