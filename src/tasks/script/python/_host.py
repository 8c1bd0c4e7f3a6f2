# Calls a script's `main` and then gives its result as text: what the host knows of Python is here. These are two calls, so that the
# host knows where what the script prints ends. The answer is "n" without a `main`, "r" and why the result is no JSON, or "=" and JSON.

import ujson as json

_print = print
_answer = "n"


class ResultFault(Exception):
    def __init__(self, why):
        super().__init__(why)
        self.path = ""


def _plain(value, above):
    # The value as what JSON has; itself where it is that already.
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        return value
    if kind is int:
        if not -9007199254740991 <= value <= 9007199254740991:
            raise ResultFault("is an integer beyond 2**53, which JSON cannot hold exactly; give it as text")
        return value
    if kind is float:
        if value != value or value in (float("inf"), float("-inf")):
            raise ResultFault("is " + str(value) + ", which JSON does not have")
        return value
    if isinstance(value, (list, tuple)):
        made = None if kind is list or kind is tuple else list(value)
        _enter(value, above)
        index = 0
        try:
            for one in value:
                plain = _plain(one, above)
                if plain is not one:
                    if made is None:
                        made = list(value)
                    made[index] = plain
                index += 1
        except ResultFault as fault:
            fault.path = "/" + str(index) + fault.path
            raise
        above.pop()
        return value if made is None else made
    if isinstance(value, dict):
        made = None if kind is dict else dict(value.items())
        _enter(value, above)
        for key, one in value.items():
            if type(key) is not str:
                raise ResultFault("has the key " + repr(key) + ", which is no text")
            try:
                plain = _plain(one, above)
            except ResultFault as fault:
                fault.path = "/" + key.replace("~", "~0").replace("/", "~1") + fault.path
                raise
            if plain is not one:
                if made is None:
                    made = dict(value.items())
                made[key] = plain
        above.pop()
        return value if made is None else made
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return _plain(int(value), above)
    if isinstance(value, float):
        return _plain(getattr(value, "value", value) * 1.0, above)
    raise ResultFault("is of type " + kind.__name__ + ", which JSON does not have")


# The interpreter's own stack holds somewhat more.
_MAX_DEPTH = 150


def _enter(value, above):
    if len(above) >= _MAX_DEPTH:
        raise NestedTooDeep()
    for one in above:
        if one is value:
            raise ResultFault("holds itself")
    above.append(value)


class NestedTooDeep(Exception):
    pass


def _run(main, given):
    # MicroPython does not tell how many arguments a function takes, but by its complaint.
    try:
        return main(given["input"])
    except TypeError as error:
        if "takes 2 positional arguments but 1 were given" not in str(error):
            raise
        first = error
    try:
        return main(given["input"], given)
    except TypeError as error:
        if "takes 1 positional arguments but 2 were given" in str(error):
            raise first
        raise


def call(scope, text):
    global _answer
    main = scope.get("main")
    if not callable(main):
        return
    output = _run(main, json.loads(text))
    try:
        _answer = "=" + json.dumps(_plain(output, []))
    except ResultFault as fault:
        _answer = "r" + (fault.path or "the result") + " " + str(fault)
    except NestedTooDeep:
        _answer = "rthe result is nested deeper than " + str(_MAX_DEPTH) + " levels"


def give():
    _print(_answer, end="")
