def indent(text, prefix, predicate=None):
    made = []
    for line in text.splitlines(True):
        chosen = bool(line.strip()) if predicate is None else predicate(line)
        made.append(prefix + line if chosen else line)
    return "".join(made)


def dedent(text):
    lines = text.split("\n")
    margin = None
    for at, line in enumerate(lines):
        if not line.strip(" \t"):
            lines[at] = ""
            continue
        own = line[: len(line) - len(line.lstrip(" \t"))]
        if margin is None:
            margin = own
        else:
            length = 0
            for a, b in zip(margin, own):
                if a != b:
                    break
                length += 1
            margin = margin[:length]
    if margin:
        lines = [line[len(margin) :] for line in lines]
    return "\n".join(lines)


def _expanded(text, size):
    made = []
    column = 0
    for ch in text:
        if ch == "\t":
            count = size - column % size
            made.append(" " * count)
            column += count
        else:
            made.append(ch)
            column = 0 if ch in "\n\r" else column + 1
    return "".join(made)


def _is_word(ch):
    return ch.isalpha() or ch.isdigit() or ch == "_" or ord(ch) > 127


class TextWrapper:
    def __init__(
        self, width=70, initial_indent="", subsequent_indent="", expand_tabs=True, replace_whitespace=True,
        fix_sentence_endings=False, break_long_words=True, drop_whitespace=True, break_on_hyphens=True, tabsize=8, *,
        max_lines=None, placeholder=" [...]"
    ):
        self.width = width
        self.initial_indent = initial_indent
        self.subsequent_indent = subsequent_indent
        self.expand_tabs = expand_tabs
        self.replace_whitespace = replace_whitespace
        self.fix_sentence_endings = fix_sentence_endings
        self.break_long_words = break_long_words
        self.drop_whitespace = drop_whitespace
        self.break_on_hyphens = break_on_hyphens
        self.tabsize = tabsize
        self.max_lines = max_lines
        self.placeholder = placeholder

    def _words(self, text):
        # Runs of spaces and of other characters, these cut after hyphens between letters and around dashes.
        if self.expand_tabs:
            text = _expanded(text, self.tabsize)
        if self.replace_whitespace:
            for ch in "\t\n\x0b\x0c\r":
                text = text.replace(ch, " ")
        words = []
        current = []
        blank = None
        for ch in text:
            is_blank = ch in " \t\n\x0b\x0c\r"
            if is_blank != blank and current:
                words.append(current)
                current = []
            blank = is_blank
            current.append(ch)
        if current:
            words.append(current)
        made = []
        for word in words:
            if not self.break_on_hyphens or word[0] == " " or "-" not in word:
                made.append("".join(word))
                continue
            start = 0
            at = 1
            count = len(word)
            while at < count - 1:
                if word[at] == "-":
                    end = at
                    while end < count and word[end] == "-":
                        end += 1
                    if end - at > 1:
                        if at > start and end < count and _is_word(word[end]) and word[at - 1] not in "-":
                            made.append("".join(word[start:at]))
                            made.append("".join(word[at:end]))
                            start = end
                        at = end
                        continue
                    before = word[max(start, at - 2) : at]
                    after = word[at + 1 : at + 3]
                    # Two letters before and a letter, then one more character of a word, behind.
                    if (
                        len(before) == 2
                        and all(_is_word(one) and not one.isdigit() and one != "_" for one in before)
                        and len(after) == 2
                        and _is_letter(after[0])
                        and (_is_letter(after[1]) or after[1] == "-")
                    ):
                        made.append("".join(word[start : at + 1]))
                        start = at + 1
                at += 1
            made.append("".join(word[start:]))
        return made

    def _sentences(self, words):
        for at in range(len(words) - 1):
            end = words[at].rstrip("\"'")
            if words[at + 1] == " " and end[-1:] and end[-1] in ".!?" and end[-2:-1].islower():
                words[at + 1] = "  "

    def wrap(self, text):
        words = self._words(text)
        if self.fix_sentence_endings:
            self._sentences(words)
        if self.width <= 0:
            raise ValueError("invalid width " + repr(self.width) + " (must be > 0)")
        if self.max_lines is not None:
            prefix = self.subsequent_indent if self.max_lines > 1 else self.initial_indent
            if len(prefix) + len(self.placeholder.lstrip()) > self.width:
                raise ValueError("placeholder too large for max width")
        lines = []
        words.reverse()
        while words:
            line = []
            length = 0
            prefix = self.subsequent_indent if lines else self.initial_indent
            width = self.width - len(prefix)
            if self.drop_whitespace and not words[-1].strip() and lines:
                words.pop()
            while words and length + len(words[-1]) <= width:
                length += len(words[-1])
                line.append(words.pop())
            if words and len(words[-1]) > width:
                length += self._long(words, line, length, width)
            if self.drop_whitespace and line and not line[-1].strip():
                length -= len(line.pop())
            if not line:
                continue
            last = self.max_lines is not None and len(lines) + 1 >= self.max_lines
            rest_is_blank = not words or (self.drop_whitespace and len(words) == 1 and not words[0].strip())
            if not last or (rest_is_blank and length <= width):
                lines.append(prefix + "".join(line))
                continue
            while line:
                if line[-1].strip() and length + len(self.placeholder) <= width:
                    lines.append(prefix + "".join(line) + self.placeholder)
                    break
                length -= len(line.pop())
            else:
                if lines:
                    before = lines[-1].rstrip()
                    if len(before) + len(self.placeholder) <= self.width:
                        lines[-1] = before + self.placeholder
                        break
                lines.append(prefix + self.placeholder.lstrip())
            break
        return lines

    def _long(self, words, line, length, width):
        room = 1 if width < 1 else width - length
        if self.break_long_words:
            word = words[-1]
            end = room
            if self.break_on_hyphens and len(word) > room:
                hyphen = word.rfind("-", 0, room)
                if hyphen > 0 and word[:hyphen].strip("-"):
                    end = hyphen + 1
            line.append(word[:end])
            words[-1] = word[end:]
            return end
        if not line:
            line.append(words.pop())
            return len(line[-1])
        return 0

    def fill(self, text):
        return "\n".join(self.wrap(text))


def _is_letter(ch):
    return _is_word(ch) and not ch.isdigit() and ch != "_"


def wrap(text, width=70, **named):
    return TextWrapper(width=width, **named).wrap(text)


def fill(text, width=70, **named):
    return TextWrapper(width=width, **named).fill(text)


def shorten(text, width, **named):
    return TextWrapper(width=width, max_lines=1, **named).fill(" ".join(text.strip().split()))
