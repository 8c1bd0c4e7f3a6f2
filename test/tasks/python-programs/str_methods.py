import math


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


WORDS = ["", "hello world", "HELLO", "Hello World", "they're bill's", "a1", "123", "-42", "+7", "  x ", "abc\tde\tf", "x\ny", "über", "a_b", "1a", "Title Case Here", "mIxEd 3x", "ß", "!?", "A"]


def main(input):
    simple = ["capitalize", "casefold", "swapcase", "title", "isalnum", "isdecimal", "isidentifier", "istitle", "isascii", "isprintable", "isnumeric", "lower", "upper", "strip", "isalpha", "isdigit", "islower", "isupper", "isspace", "splitlines", "split", "expandtabs"]
    ascii_only = [w for w in WORDS if all(ord(c) < 128 for c in w)]
    return {
        "simple": {name: [getattr(w, name)() for w in ascii_only] for name in simple},
        "sized": [[w.ljust(8), w.rjust(8), w.center(8), w.center(7, "*"), w.ljust(6, "."), w.rjust(6, "-"), w.zfill(6), w.zfill(0)] for w in WORDS],
        "affix": [["prefix-name".removeprefix("prefix-"), "name".removeprefix("x"), "a.txt".removesuffix(".txt"), "a.txt".removesuffix(""), "aa".removeprefix("a"), "x".removesuffix("xx")]],
        "tabs": ["a\tbc\td".expandtabs(4), "\t".expandtabs(0), "1\t\t2\n3\t4".expandtabs()],
        "translate": ["hello".translate(str.maketrans("el", "ip")), "hello".translate(str.maketrans("", "", "l")), "abc".translate({97: None, 98: "BB"}), "abc".translate(str.maketrans({"a": "1", "b": None})), outcome(lambda: str.maketrans("ab", "c"))],
        "format_map": ["{a} {b}".format_map({"a": 1, "b": 2})],
        "unbound": [list(map(str.title, ["a b", "c"])), str.zfill("5", 3), [f(" a ") for f in (str.strip, str.upper, str.isalnum)], sorted(["b", "A", "c"], key=str.casefold)],
        "errors": [outcome(lambda: "a".ljust(5, "xy")), outcome(lambda: "a".nope()), outcome(lambda: "a".zfill())],
        "native": ["a,b,,c".split(","), "a b  c".split(), "a-b-c".rsplit("-", 1), "k=v=w".partition("="), "k=v=w".rpartition("="), "abcabc".replace("b", "X", 1), "abc".find("z"), "abcabc".rfind("b"), "abc".startswith(("x", "a")), "abc".endswith("bc"), "xxaxx".strip("x"), "a\nb\r\nc".splitlines(), "ab" in "cabd", "abab".count("ab"), "-".join(["a", "b"]), outcome(lambda: "abc".index("z"))],
        "int": [(5).bit_length(), (0).bit_length(), (-255).bit_length(), (255).bit_count(), (2**70).bit_length(), (7).as_integer_ratio(), (5).to_bytes(2, "big").hex(), int.from_bytes(b"\x01\x02", "little")],
    }
