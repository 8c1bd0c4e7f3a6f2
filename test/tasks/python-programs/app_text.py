import re
import string
import textwrap
from collections import Counter, OrderedDict

TEXT = """It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness... it was the spring of hope, it was the winter of despair; we had everything before us!"""


def slug(title):
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def roman(n):
    out = ""
    for value, letters in ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")):
        while n >= value:
            out += letters
            n -= value
    return out


def caesar(text, by):
    lower = string.ascii_lowercase
    table = str.maketrans(lower + lower.upper(), lower[by:] + lower[:by] + (lower[by:] + lower[:by]).upper())
    return text.translate(table)


def table(rows):
    widths = [max(len(str(c)) for c in column) for column in zip(*rows)]
    return "\n".join(" | ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, widths))) for r in rows)


def main(input):
    words = re.findall(r"[a-z']+", TEXT.lower())
    csv = 'name,qty,"note, long"\n"Doe, J",3,"said ""hi"""\nx,,y'
    fields = [[(a.replace('""', '"') if a or q else b) for q, a, b in ((m[0][:1] == '"', m[1], m[2]) for m in (f.groups("") and (f.group(0), f.group(1) or "", f.group(2) or "") for f in re.finditer(r'(?:^|(?<=,))(?:"((?:[^"]|"")*)"|([^,"]*))(?=,|$)', line)))] for line in csv.splitlines()]
    return {
        "top": Counter(words).most_common(6),
        "unique": list(OrderedDict((w, 1) for w in words))[:12],
        "longest": sorted(set(words), key=lambda w: (-len(w), w))[:4],
        "sentences": [s.strip() for s in re.split(r"[.;!]+", TEXT) if s.strip()],
        "slugs": [slug(t) for t in ("Hello, World!", "  A--b C_d ", "100% sure?")],
        "roman": [roman(n) for n in (1, 4, 1994, 2024, 3999)],
        "caesar": [caesar("Hello, World", 3), caesar(caesar("abcXYZ", 5), 21)],
        "table": table([("name", "n"), ("alpha", 5), ("b", 12345)]),
        "wrapped": textwrap.fill(textwrap.dedent(TEXT), 36, initial_indent="> ", subsequent_indent="> "),
        "fields": fields,
        "snake": [re.sub(r"(?<!^)(?=[A-Z])", "_", n).lower() for n in ("camelCase", "HTTPServer", "X")],
        "camel": [re.sub(r"_(\w)", lambda m: m[1].upper(), n) for n in ("a_b_c", "snake_case")],
        "palindromes": [w for w in ("level", "abc", "noon") if w == "".join(reversed(w))],
        "padded": ["7".zfill(3), "ab".center(6, "*"), "Ab".swapcase(), "the end".title(), "x.py".removesuffix(".py"), "x".isidentifier()],
    }
