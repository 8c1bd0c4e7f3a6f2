from collections import namedtuple

_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"


def quote(string, safe="/", encoding=None, errors=None):
    data = string.encode() if isinstance(string, str) else string
    kept = set(_SAFE + safe.encode())
    return "".join([chr(code) if code in kept else "%%%02X" % code for code in data])


def quote_plus(string, safe="", encoding=None, errors=None):
    return quote(string, safe + " ").replace(" ", "+")


def quote_from_bytes(data, safe="/"):
    return quote(data, safe)


def unquote_to_bytes(string):
    parts = (string.encode() if isinstance(string, str) else string).split(b"%")
    made = [parts[0]]
    for part in parts[1:]:
        try:
            made.append(bytes([int(str(part[:2], "utf-8"), 16)]) if len(part) > 1 else b"%" + part)
            if len(part) > 1:
                made.append(part[2:])
        except (ValueError, UnicodeError):
            made.append(b"%" + part)
    return b"".join(made)


def unquote(string, encoding="utf-8", errors="replace"):
    if "%" not in string:
        return string
    data = unquote_to_bytes(string)
    try:
        return data.decode()
    except UnicodeError:
        return _decoded(data)


def _decoded(data):
    # What is no UTF-8 becomes U+FFFD.
    made = []
    at = 0
    while at < len(data):
        first = data[at]
        length = 1 if first < 128 else 2 if 194 <= first < 224 else 3 if 224 <= first < 240 else 4 if 240 <= first < 245 else 0
        try:
            if not length or at + length > len(data):
                raise UnicodeError
            made.append(data[at : at + length].decode())
            at += length
        except UnicodeError:
            made.append("\ufffd")
            at += 1
    return "".join(made)


def unquote_plus(string, encoding="utf-8", errors="replace"):
    return unquote(string.replace("+", " "))


def urlencode(query, doseq=False, safe="", encoding=None, errors=None, quote_via=quote_plus):
    made = []
    for key, value in query.items() if hasattr(query, "items") else query:
        values = value if doseq and isinstance(value, (list, tuple)) else [value]
        for one in values:
            made.append(_quoted(key, safe, quote_via) + "=" + _quoted(one, safe, quote_via))
    return "&".join(made)


def _quoted(value, safe, quote_via):
    return quote_via(value if isinstance(value, (str, bytes)) else str(value), safe)


def parse_qsl(qs, keep_blank_values=False, strict_parsing=False, encoding="utf-8", errors="replace", max_num_fields=None, separator="&"):
    made = []
    for part in qs.split(separator) if qs else []:
        if not part and not strict_parsing:
            continue
        name, equals, value = part.partition("=")
        if not equals and strict_parsing:
            raise ValueError("bad query field: " + repr(part))
        if value or keep_blank_values:
            made.append((unquote_plus(name), unquote_plus(value)))
    return made


def parse_qs(qs, keep_blank_values=False, strict_parsing=False, encoding="utf-8", errors="replace", max_num_fields=None, separator="&"):
    made = {}
    for name, value in parse_qsl(qs, keep_blank_values, strict_parsing, separator=separator):
        made.setdefault(name, []).append(value)
    return made


def _user(self):
    return self.netloc.rpartition("@")


def _port(self):
    host = _user(self)[2]
    _, colon, port = host.rpartition("]")[2].rpartition(":")
    if not colon or not port:
        return None
    if not port.isdigit():
        raise ValueError("Port could not be cast to integer value as " + repr(port))
    if int(port) > 65535:
        raise ValueError("Port out of range 0-65535")
    return int(port)


def _hostname(self):
    host = _user(self)[2]
    if host[:1] == "[":
        host = host[1:].partition("]")[0]
    else:
        host = host.partition(":")[0]
    return host.lower() or None


def _result(name, fields, join):
    made = namedtuple(name, fields)
    made.hostname = property(_hostname)
    made.port = property(_port)
    made.username = property(lambda self: _user(self)[0].partition(":")[0] if _user(self)[1] else None)
    made.password = property(lambda self: _user(self)[0].partition(":")[2] if ":" in _user(self)[0] else None)
    made.geturl = lambda self: join(self)
    return made


def urlunsplit(parts):
    scheme, netloc, path, query, fragment = parts
    if netloc or (scheme and scheme in _WITH_HOST and path[:2] != "//"):
        path = "//" + netloc + ("/" if path and path[:1] != "/" else "") + path
    return (scheme + ":" if scheme else "") + path + ("?" + query if query else "") + ("#" + fragment if fragment else "")


def urlunparse(parts):
    scheme, netloc, path, params, query, fragment = parts
    return urlunsplit((scheme, netloc, path + (";" + params if params else ""), query, fragment))


_WITH_HOST = ("http", "https", "ftp", "file", "ws", "wss", "sftp", "nfs", "git", "svn", "rsync", "telnet", "imap", "")
SplitResult = _result("SplitResult", "scheme netloc path query fragment", urlunsplit)
ParseResult = _result("ParseResult", "scheme netloc path params query fragment", urlunparse)


def urlsplit(url, scheme="", allow_fragments=True):
    url = "".join([ch for ch in url.strip(" ") if ch not in "\t\r\n"])
    netloc = query = fragment = ""
    name, colon, rest = url.partition(":")
    if colon and name and name[0].isalpha() and all(ch.isalpha() or ch.isdigit() or ch in "+-." for ch in name):
        scheme = name.lower()
        url = rest
    if url[:2] == "//":
        end = min([at for at in (url.find(ch, 2) for ch in "/?#") if at >= 0] + [len(url)])
        netloc = url[2:end]
        url = url[end:]
        if ("[" in netloc) != ("]" in netloc):
            raise ValueError("Invalid IPv6 URL")
    if allow_fragments:
        url, _, fragment = url.partition("#")
    url, _, query = url.partition("?")
    return SplitResult(scheme, netloc, url, query, fragment)


def urlparse(url, scheme="", allow_fragments=True):
    scheme, netloc, path, query, fragment = urlsplit(url, scheme, allow_fragments)
    params = ""
    if ";" in path and scheme in _WITH_HOST:
        before, slash, last = path.rpartition("/")
        last, _, params = last.partition(";")
        path = before + slash + last
    return ParseResult(scheme, netloc, path, params, query, fragment)


def urljoin(base, url, allow_fragments=True):
    if not base:
        return url
    if not url:
        return base
    of = urlsplit(base)
    to = urlsplit(url, of.scheme)
    if to.scheme != of.scheme or to.scheme not in _WITH_HOST:
        return url
    if to.netloc:
        return urlunsplit(to)
    if not to.path:
        return urlunsplit((of.scheme, of.netloc, of.path, to.query or of.query, to.fragment))
    parts = to.path.split("/")
    if to.path[:1] != "/":
        before = of.path.split("/")[:-1]
        parts = (before or [""] if of.netloc else before) + parts
    made = []
    for at, part in enumerate(parts):
        if part == "..":
            if len(made) > 1 or (made and made[0]):
                made.pop()
        elif part != ".":
            if part or at == 0 or at == len(parts) - 1:
                made.append(part)
    if parts[-1] in (".", ".."):
        made.append("")
    return urlunsplit((of.scheme, of.netloc, "/".join(made) or "/", to.query, to.fragment))


def urldefrag(url):
    parts = urlsplit(url)
    return namedtuple("DefragResult", "url fragment")(urlunsplit(parts[:4] + ("",)), parts.fragment)
