import json


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


class Odd:
    pass


def main(input):
    data = {"b": [1, 2.5, None, True], "a": {"x": "é\n\"", "empty": [], "none": {}}, "c": (1, "two")}
    return {
        "plain": [json.dumps(v) for v in (1, 1.0, 0.1, -0.5, 1e16, 1e-7, 1e100, 123456789012345678901234567890, "a", "", None, True, [], {}, [1, [2]], (1, 2), {"a": 1}, "é日\U0001F600", "\x00\x1f\x7f\"\\/\b\f\n\r\t")],
        "sorted": [json.dumps(data, sort_keys=True), json.dumps(data, sort_keys=True, indent=2), json.dumps(data, sort_keys=True, indent=4, ensure_ascii=False), json.dumps(data, sort_keys=True, separators=(",", ":")), json.dumps([1, {"a": []}], indent="\t"), json.dumps([[], {}], indent=1), json.dumps([1, 2], indent=0)],
        "keys": [json.dumps({1: 2}), json.dumps({None: 1}), json.dumps({True: 1}), json.dumps({1.5: 1}), outcome(lambda: json.dumps({(1, 2): 3})), json.dumps({(1, 2): 3, "a": 1}, skipkeys=True)],
        "default": [json.dumps({"s": {3}, "o": 1}, default=sorted, sort_keys=True), outcome(lambda: json.dumps(Odd())), json.dumps([Odd()], default=lambda o: "odd"), outcome(lambda: json.dumps({1, 2})), outcome(lambda: json.dumps(b"x"))],
        "nan": [json.dumps(float("nan")), json.dumps([float("inf"), -float("inf")]), outcome(lambda: json.dumps(float("nan"), allow_nan=False))],
        "loads": [json.loads(t) for t in ('{"a": [1, 2.5, null, true, "x"]}', '"\\u00e9\\ud83d\\ude00\\\\u0041"', " [ ] ", "1e3", "-0.0", '"\\/\\b"', "12345678901234", '"a\\nb"', '{"a":{"b":{"c":[]}}}')] + [json.loads(b'{"k": 1}')],
        "round": [json.loads(json.dumps(x)) == x for x in (0.1 + 0.2, 1 / 3, 1e-300, 1.7976931348623157e308, 2.5e-8, 123456.789, [{"a": ["é", None]}])],
        "errors": [outcome(lambda: json.loads(t)) for t in ("", "{", "nul", "{'a': 1}", "[1", '"abc', "1 2", "-", "x", "+1")] + [outcome(lambda: json.loads(5)), outcome(lambda: json.loads(None)), issubclass(json.JSONDecodeError, ValueError)],
        "hook": [json.loads('{"a": {"b": 1}}', object_hook=lambda d: sorted(d.items())), json.loads('{"a": 1}', object_pairs_hook=list)],
        "loop": outcome(lambda: (lambda a: (a.append(a), json.dumps(a)))([])),
    }
