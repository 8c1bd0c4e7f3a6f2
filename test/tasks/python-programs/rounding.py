def main(input):
    values = [2.675, 1.005, 0.125, 2.5, 3.5, -2.675, 1e10 + 0.555, 0.1 + 0.2, 1234.5678, -0.004, 1e-10, 99.995, 5.015, 1.15, 1e22, 123456789.987654321, 0.5, -0.5, 1e300]
    return [
        [[round(v, n) for n in (0, 1, 2, 3, 5, 10)] for v in values], [round(v) if abs(v) < 1e15 else 0 for v in values], [round(v, -2) for v in values], [round(1234, -2), round(15, -1), round(25, -1), round(7), round(True)],
        [round(i * 0.005, 2) for i in range(400)], [str(round(v, 2)) for v in (1.0, 2.5, 0.1)], round(-0.001, 2) == 0,
    ]
