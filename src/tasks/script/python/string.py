ascii_lowercase = "abcdefghijklmnopqrstuvwxyz"
ascii_uppercase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ascii_letters = ascii_lowercase + ascii_uppercase
digits = "0123456789"
hexdigits = digits + "abcdefABCDEF"
octdigits = "01234567"
punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
whitespace = " \t\n\r\x0b\x0c"
printable = digits + ascii_letters + punctuation + whitespace


def capwords(s, sep=None):
    return (sep or " ").join([word[:1].upper() + word[1:].lower() for word in s.split(sep)])


class Template:
    delimiter = "$"

    def __init__(self, template):
        self.template = template

    def _filled(self, given, is_safe):
        parts = self.template.split(self.delimiter)
        made = [parts[0]]
        at = 1
        while at < len(parts):
            part = parts[at]
            at += 1
            if part == "" and at < len(parts):
                made.append(self.delimiter + parts[at])
                at += 1
                continue
            braced = part[:1] == "{"
            name = ""
            for ch in part[1:] if braced else part:
                if not (ch == "_" or ("a" <= ch <= "z") or ("A" <= ch <= "Z") or (name and ch.isdigit())):
                    break
                name += ch
            length = len(name) + (2 if braced else 0)
            if not name or (braced and part[length - 1 : length] != "}"):
                if not is_safe:
                    raise ValueError("Invalid placeholder in string")
                made.append(self.delimiter + part)
            elif name in given:
                made.append(str(given[name]) + part[length:])
            elif is_safe:
                made.append(self.delimiter + part)
            else:
                raise KeyError(name)
        return "".join(made)

    def substitute(self, mapping=None, **named):
        return self._filled(_both(mapping, named), False)

    def safe_substitute(self, mapping=None, **named):
        return self._filled(_both(mapping, named), True)


def _both(mapping, named):
    both = dict(mapping.items()) if mapping else {}
    both.update(named)
    return both


class Formatter:
    def format(self, format_string, *args, **named):
        return format_string.format(*args, **named)

    def vformat(self, format_string, args, kwargs):
        return format_string.format(*args, **kwargs)
