import math
from math import comb, gcd, inf, isqrt, pi, prod


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def main(input):
    return {
        "prod": [prod([1, 2, 3]), prod([]), prod([2, 3.5], start=2), str(prod(range(1, 31)))],
        "comb": [comb(5, 2), comb(50, 25), comb(3, 5), comb(0, 0), outcome(lambda: comb(-1, 2)), outcome(lambda: comb(2.5, 1))],
        "perm": [math.perm(5, 2), math.perm(5), math.perm(2, 3), outcome(lambda: math.perm(-1))],
        "factorial": [math.factorial(18), str(math.factorial(30)), outcome(lambda: math.factorial(-1)), outcome(lambda: math.factorial(2.5))],
        "gcd": [gcd(12, 18), gcd(12, 18, 27), gcd(), gcd(0, 5), gcd(-4, 6), math.lcm(4, 6), math.lcm(2, 3, 7), math.lcm(), math.lcm(0, 3), outcome(lambda: gcd(1.5, 2))],
        "isqrt": [isqrt(n) for n in (0, 1, 2, 15, 16, 17, 10**12, 10**12 - 1)] + [outcome(lambda: isqrt(-1)), outcome(lambda: isqrt(2.0)), str(isqrt(10**40 + 1))],
        "dist": [math.dist([0, 0], [3, 4]), math.dist((1, 2, 3), (4, 5, 6)), math.hypot(3, 4), math.hypot(1, 2, 3), math.hypot(), math.hypot(-5), math.hypot(1e200, 1e200), math.hypot(1e-300, 1e-300), outcome(lambda: math.dist([1], [1, 2]))],
        "fsum": [math.fsum([0.1] * 10), math.fsum([1e100, 1.0, -1e100]), math.fsum([]), math.fsum([1, 2.5]), math.fsum([1e16, 1, 1e-16]), math.fsum([0.1, 0.2, 0.3]), outcome(lambda: math.fsum([inf, -inf])), outcome(lambda: math.fsum(["a"]))],
        "close": [math.isclose(1, 1 + 1e-10), math.isclose(1, 1.1), math.isclose(0, 1e-12), math.isclose(0, 1e-12, abs_tol=1e-9), math.isclose(1, 1.05, rel_tol=0.1)],
        "native": [math.sqrt(2), math.floor(-1.5), math.ceil(1.2), math.trunc(-1.7), math.log(10), math.log(8, 2), math.log2(8), math.log10(1000), math.exp(1), math.sin(1), math.atan2(1, -1), math.degrees(pi), math.copysign(1, -0.0), math.modf(1.25), math.frexp(10), math.ldexp(0.5, 4), math.fmod(-7, 3), math.gamma(5), math.erf(0.5), math.tau, math.e, math.expm1(1e-5), math.pow(2, 0.5), math.cosh(1), math.fabs(-2)],
        "log of large": [math.log(10**400), math.log2(8), math.log(2**2000, 2)],
        "special": [math.isnan(math.nan), math.isinf(-inf), math.isfinite(1e308), math.remainder(7, 4), math.remainder(-7, 4), math.remainder(6, 4), math.cbrt(27), math.cbrt(-8), math.exp2(3), math.log1p(1e-10), math.log1p(2), math.log1p(-0.5), math.ulp(1.0), math.nextafter(1.0, 2.0), math.nextafter(0.0, 1.0)],
        "errors": [outcome(lambda: math.sqrt(-1)), outcome(lambda: math.log(0)), outcome(lambda: math.log(-1)), outcome(lambda: math.floor(inf)), outcome(lambda: math.sqrt("a")), outcome(lambda: math.acos(2)), outcome(lambda: math.log1p(-1))],
    }
