import re


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def m(found):
    return None if found is None else [found.group(), list(found.span()), list(found.groups())]


def main(input):
    return {
        "match": [m(re.match(p, s)) for p, s in [
            ("a", "ba"), ("b", "ba"), (r"(a)(b)?", "ac"), (r"", ""), (r"$", ""), (r"^$", ""), (r"a{3}", "aaaa"), (r"a{2}", "a"),
            (r"(ab){2}", "ababab"), (r"(ab){1,2}?c", "ababc"), (r"(?:x|(y))z", "yz"), (r"[a-z]+\d*", "abc123"),
        ]],
        "fullmatch": [m(re.fullmatch(p, s)) for p, s in [
            (r"a|ab", "ab"), (r"\d+", "12a"), (r"\d+", "12"), (r"a*?", "aaa"), (r"[\w.+-]+@[\w-]+\.[\w.]+", "a.b+c@d-e.co.uk"),
            (r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)", "2024-02-29"), (r"x", ""), (r"", ""), (r".*", "a\n"), (r"\w+$", "ab\n"),
        ]],
        "search": [m(re.search(p, s)) for p, s in [
            (r"b+", "aabbb"), (r"c", "ab"), (r"$", "ab"), (r"$", "ab\n"), (r"\bfoo\b", "a foo b"), (r"\Bo", "foo"), (r"(\d+)(?:px|em)", "w: 12em"),
        ]],
        "pos": [m(re.compile("a").match("ba", 1)), m(re.compile("^a").match("ba", 1)), m(re.compile("a").search("banana", 2, 4)),
                m(re.compile("a$").search("banana", 0, 4)), m(re.compile(r"\d+").fullmatch("a12b", 1, 3))],
        "finditer": [[x.group(), x.start(), x.end()] for x in re.finditer(r"\w+", "one two, three")],
        "empties": [[x.start(), x.end()] for x in re.finditer(r"x*", "axxb")],
        "split": [
            re.split(r"\W+", "Words, words, words."), re.split(r"(\W+)", "Words, words"), re.split(r"\W+", "a, b, c", maxsplit=1),
            re.split(r"[a-f]+", "0a3B9", flags=re.IGNORECASE), re.split(r"x*", "axbc"), re.split(r"(x)|(y)", "axbyc"),
            re.split(",", ""), re.split(r"\b", "ab cd"), re.split(r"\s*[,;]\s*", "a , b;c ;d"),
        ],
        "sub": [
            re.sub(r"\d", "#", "a1b2"), re.sub(r"(\w+) (\w+)", r"\2 \1", "hello world"), re.sub(r"(?P<x>\d+)", r"<\g<x>>", "a1b22"),
            re.sub(r"x*", "-", "abxd"), re.sub("a", "b", "aaa", count=2), re.sub(r"\d+", lambda f: str(int(f.group()) * 2), "1 20 x3"),
            re.sub(r"(a)|b", r"[\1]", "ab"), re.sub(r"\s+", " ", "  a \n b\t"), re.sub("a", r"\\", "bab"), re.sub("a", r"\n", "a"),
            re.sub(r"(.)\1", r"\g<1>2", "aabbc"), re.sub(r"(.)", r"\g<0>\g<0>", "ab"), re.sub("é", "e", "écolé"), re.sub("(?i)A", "x", "aAbB"),
            re.sub(r"(?<!^)(?=[A-Z])", "_", "camelCaseName").lower(), re.sub(r"\B(?=(\d{3})+(?!\d))", ",", "1234567"),
        ],
        "subn": [list(re.subn("a", "b", "banana")), list(re.subn("x", "y", "abc")), list(re.subn("a", "b", "banana", count=1))],
        "escape": [re.escape("a.b*c[d]"), re.escape("a b-c_d#e&f~g"), re.escape("\n\t"), re.escape("日本!\"%',/:;<=>@`")],
        "attributes": [re.compile(r"(?P<a>x)(y)(?P<b>z)").groups, dict(re.compile(r"(?P<a>x)(y)(?P<b>z)").groupindex), re.compile("ab").pattern],
        "last": [re.match(r"(a)(b)?", "a").lastindex, re.match(r"(a)(b)", "ab").lastindex, re.match(r"((ab))", "ab").lastindex,
                 re.match(r"(?P<n>a)", "a").lastgroup, re.match("a", "a").lastindex],
        "expand": [re.match(r"(\w)(\w)", "ab").expand(r"\2-\1"), re.match(r"(?P<n>\w)", "x").expand(r"\g<n>!")],
        "default": [list(re.match(r"(a)(b)?", "a").groups("-")), re.match(r"(?P<p>a)(?P<q>b)?", "a").groupdict("none")],
        "flags": [m(re.search("HELLO", "say hello", re.I)), m(re.search("^b", "a\nb", re.M)), m(re.search("a.b", "a\nb", re.S)),
                  m(re.search("A B", "ab", re.I | re.X)), re.I | re.M == re.IGNORECASE | re.MULTILINE],
        "errors": [outcome(f) for f in [
            lambda: re.compile("("), lambda: re.compile(")"), lambda: re.compile("["), lambda: re.compile("*a"), lambda: re.compile("a**"),
            lambda: re.compile("a{3,2}"), lambda: re.compile(r"\1"), lambda: re.compile("(?P<a>x)(?P<a>y)"), lambda: re.compile("(?P=q)"),
            lambda: re.compile("[z-a]"), lambda: re.compile(r"\q"), lambda: re.compile("(?<=a+)b"), lambda: re.compile("(?z)"),
            lambda: re.match("a", "a").group(1), lambda: re.match("a", "a").group("x"), lambda: re.match("a", None), lambda: re.match(1, "a"),
            lambda: re.sub("a", r"\2", "a"), lambda: re.sub("a", r"\g<nope>", "a"), lambda: re.compile("\\"), lambda: re.compile("a", re.I).match("A").group(),
            lambda: re.findall("a", 5), lambda: re.match("a", "b").group(),
        ]],
        "long": [len(re.match(r"(?:ab)*", "ab" * 3000).group()), len(re.match(r"[^x]*", "é" * 3000).group()), len(re.findall(r"\w+", "word " * 500)),
                 len(re.match(r".*", "a" * 5000).group()), len(re.sub(r"[aeiou]", "", "education " * 200))],
    }
