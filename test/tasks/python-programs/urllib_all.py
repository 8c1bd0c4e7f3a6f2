from urllib.parse import parse_qs, parse_qsl, quote, quote_plus, unquote, unquote_plus, urldefrag, urlencode, urljoin, urlparse, urlsplit, urlunparse, urlunsplit
import urllib.parse


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


URLS = ["http://user:pass@Example.com:8080/a/b;p?q=1&r=2#frag", "https://example.com", "//host/path", "/just/path?x", "mailto:a@b.c", "http://[::1]:80/", "", "HTTP://X/y?#", "a:b:c", "http://h?q", "file:///etc/x", "http://a.b/c d?e f", "x://y:z@h:1/"]


def parts(u):
    s = urlsplit(u)
    return [list(s), s.scheme, s.netloc, s.hostname, outcome(lambda: s.port), s.username, s.password, s.geturl()]


def main(input):
    base = "http://a/b/c/d;p?q"
    return {
        "quote": [quote("a b/c?d=é&~"), quote("a b/c", safe=""), quote_plus("a b&c/d+e"), quote(b"\x00\xff"), quote("日本"), quote(""), quote("a@b:c", safe="@:"), urllib.parse.quote("x y")],
        "unquote": [unquote("a%20b%2Fc"), unquote("%E6%97%A5"), unquote("%zz%4"), unquote_plus("a+b%2B"), unquote("%FF"), unquote("100%"), unquote("no")],
        "encode": [urlencode([("a", 1), ("b", "x y&z")]), urlencode({"k": "é"}), urlencode([("l", [1, 2])], doseq=True), urlencode([("l", [1, 2])]), urlencode([]), urlencode([("a", None), ("b", True)]), urlencode([("q", "a b")], quote_via=quote)],
        "qs": [parse_qs("a=1&b=2&a=3&c=&d"), parse_qs("a=1&b=&c", keep_blank_values=True), parse_qsl("x=%20y&z=a+b&&"), parse_qs(""), parse_qsl("a=b=c"), outcome(lambda: parse_qs("a", strict_parsing=True))],
        "split": [parts(u) for u in URLS],
        "parse": [list(urlparse(u)) for u in URLS],
        "unparse": [urlunparse(urlparse(u)) for u in URLS] + [urlunsplit(("http", "h", "p", "q", "f"))],
        "join": [urljoin(base, u) for u in ("g", "./g", "g/", "/g", "//g", "?y", "g?y", "#s", "g#s", "", ".", "./", "..", "../", "../g", "../..", "../../g", "http://x/y", "mailto:z", "g;x", "../../../g", "a/../b")],
        "frag": [list(urldefrag("http://x/y#z")), urlsplit("http://h:99999/").netloc, outcome(lambda: urlsplit("http://h:99999/").port), outcome(lambda: urlsplit("http://h:abc/").port), outcome(lambda: urlsplit("http://[::1/"))],
        "replace": urlsplit("http://a/b")._replace(path="/c", query="d=1").geturl(),
    }
