# Calls a script's `main` and gives its result as text: what the host knows of Python is here. The answer begins with a character
# that JSON cannot hold raw and that `print` is not given, so that it can be told from what the script prints.

import json

_ANSWER = "\x1e"


class ResultFault(Exception):
    pass


def _fault(path, why):
    return ResultFault((path or "the result") + " " + why)


def _escaped(key):
    return key.replace("~", "~0").replace("/", "~1")


def _check(value, path, above):
    if value is None or value is True or value is False:
        return
    kind = type(value)
    if kind is str:
        return
    if kind is int:
        if not -9007199254740991 <= value <= 9007199254740991:
            raise _fault(path, "is an integer beyond 2**53, which JSON cannot hold exactly; give it as text")
        return
    if kind is float:
        if value != value or value in (float("inf"), float("-inf")):
            raise _fault(path, "is " + str(value) + ", which JSON does not have")
        return
    if isinstance(value, (list, tuple)):
        _enter(value, path, above)
        for index, one in enumerate(value):
            _check(one, path + "/" + str(index), above)
    elif isinstance(value, dict):
        _enter(value, path, above)
        for key, one in value.items():
            if type(key) is not str:
                raise _fault(path, "has the key " + repr(key) + ", which is no text")
            _check(one, path + "/" + _escaped(key), above)
    elif isinstance(value, (str, int, float)):
        return
    else:
        raise _fault(path, "is of type " + kind.__name__ + ", which JSON does not have")
    above.pop()


def _enter(value, path, above):
    if len(above) > 500:
        raise _fault("", "is nested deeper than 500 levels")
    if any(one is value for one in above):
        raise _fault(path, "holds itself")
    above.append(value)


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
    main = scope.get("main")
    if not callable(main):
        print(_ANSWER + "n", end="")
        return
    output = _run(main, json.loads(text))
    try:
        _check(output, "", [])
    except ResultFault as fault:
        print(_ANSWER + "r" + str(fault), end="")
        return
    print(_ANSWER + "=" + json.dumps(output), end="")
