import re


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def main(input):
    log = '10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326'
    pattern = re.compile(r'(?P<ip>\S+) \S+ \S+ \[(?P<at>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d{3}) (?P<size>\d+|-)')
    m = pattern.match(log)
    return {
        "log": [m.groupdict(), m.groups(), m.span("status"), m.start(1), m.end("path"), m.group(1, "size"), m["method"], m[5]],
        "findall": [re.findall(p, s) for p, s in [
            (r"\d+", "a1b22c333"),
            (r"(\w)(\d)", "a1 b2 c3"),
            (r"(\w+)@(\w+)\.com", "x@y.com, foo@bar.com"),
            (r"a|ab", "abab"),
            (r"ab|a", "abab"),
            (r"a*", "baac"),
            (r"", "abc"),
            (r"\b\w{3}\b", "the cat sat on the mats"),
            (r"\d{2,3}?", "123456"),
            (r"\d{2,}", "1 22 333"),
            (r"\d{,2}", "1234"),
            (r"x{,}", "x{,}"),
            (r"x{a}", "x{a} x"),
            (r"[^\W\d_]+", "abc_1é2ñ"),
            (r"(?i)HeLLo", "hello HELLO hellO"),
            (r"(?:ab)+", "ababab ab"),
            (r"(a)|(b)", "ab"),
            (r"(a)?b", "ab b"),
            (r"a.c", "abc a\nc axc"),
            (r"(?s)a.c", "abc a\nc"),
            (r"(?m)^\w+$", "one\ntwo three\nfour"),
            (r"^\w+", "one\ntwo"),
            (r"\w+$", "one\ntwo\n"),
            (r"\w+\Z", "one\ntwo"),
            (r"(?<=\$)\d+", "$5 6 $77"),
            (r"(?<!\$)\b\d+", "$5 6 $77 8"),
            (r"\w+(?=!)", "hi! there you!"),
            (r"\w+\b(?!!)", "hi! there you!"),
            (r"(\w)\1", "aabbcd"),
            (r"(?P<q>['\"]).*?(?P=q)", "'a' \"b\" 'c\""),
            (r"[a-c-]+", "a-b-d"),
            (r"[]a]+", "]a]b"),
            (r"[^]a]+", "]a]bc"),
            (r"[\d.]+", "1.5 2.25"),
            (r"[\]\\]+", "a]\\b"),
            (r"\.\*\+", "a.*+b"),
            (r"\x41\u0042\t", "AB\t"),
            (r"(a+)+b", "aaab"),
            (r"(?:a|b)*c", "ababc c"),
            (r"(a|b)*", "abab"),
            (r"(?:(a)|b)*", "ab"),
            (r"((a)|(b))+", "ab"),
            (r"(a*)*", "aab"),
            (r"(a*)+", "b"),
            (r"(?:a?)*?b", "aab"),
            (r"\s+", "a \t\n b"),
            (r"\S+", " a  bc "),
            (r"\D+", "a1b2"),
            (r"日.", "日本 日曜"),
            (r".", "aé日\U0001F600"),
            (r"(?x) \d+  # digits \n \s* [a-z]", "12 a 3b"),
            (r"(?a)\w+", "aé1"),
            (r"(?i:A)b", "ab Ab aB"),
        ]],
        "lists": [outcome(lambda: list(re.findall(r"(?x) \d+  # digits\n \s* [a-z]", "12 a 3b")))],
    }
