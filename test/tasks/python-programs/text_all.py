import string
import textwrap


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


TEXT = "The quick brown fox jumped over the lazy dog, and then it ran away from the well-known state-of-the-art kennel -- at last!  It was a very loooooooooooooooooooooooooong day."
BLOCK = """
    def f():
        return 1

      # comment
    x = 2
"""


def main(input):
    t = string.Template("$who likes ${what}s; costs $$5 $who.")
    return {
        "wrap": [textwrap.wrap(TEXT, w) for w in (10, 20, 30, 40, 70, 200)],
        "options": [
            textwrap.wrap(TEXT, 30, initial_indent="* ", subsequent_indent="  "), textwrap.wrap(TEXT, 12, break_long_words=False), textwrap.wrap(TEXT, 25, break_on_hyphens=False), textwrap.wrap(TEXT, 30, max_lines=2),
            textwrap.wrap(TEXT, 30, max_lines=2, placeholder="..."), textwrap.wrap("a\tb\n\nc   d", 5), textwrap.wrap("", 5), textwrap.wrap("   ", 5), textwrap.wrap("  lead", 10), textwrap.wrap("a b.  C d", 20, fix_sentence_endings=True), outcome(lambda: textwrap.wrap("a", 0)),
            textwrap.wrap("aaa bbb ccc", 3), textwrap.wrap("supercalifragilistic", 6), textwrap.wrap("one--two three---four a-b e-mail x-ray -flag --long-option", 8), textwrap.wrap("a\nb\nc", 3, drop_whitespace=False),
        ],
        "fill": [textwrap.fill(TEXT, 40), textwrap.fill("short"), textwrap.TextWrapper(width=15).fill("hello there my friend")],
        "shorten": [textwrap.shorten("Hello  world!", w) for w in (12, 11, 8, 7)] + [textwrap.shorten(TEXT, 30, placeholder="..."), outcome(lambda: textwrap.shorten("abc def", 3))],
        "dedent": [textwrap.dedent(BLOCK), textwrap.dedent("  a\n b\n   c"), textwrap.dedent("a\n  b"), textwrap.dedent("\ta\n\tb"), textwrap.dedent("   \n  x\n"), textwrap.dedent(""), textwrap.dedent(" \ta\n \tb\n  c")],
        "indent": [textwrap.indent("a\n\nb\n", "> "), textwrap.indent("a\n \nb", "+", lambda line: True), textwrap.indent("x", "  ")],
        "string": [string.ascii_letters, string.digits, string.punctuation, string.hexdigits, string.octdigits, string.whitespace, len(string.printable), string.ascii_lowercase, string.ascii_uppercase],
        "capwords": [string.capwords("hello wORLD  again"), string.capwords("a-b-c", "-"), string.capwords("")],
        "template": [t.substitute(who="tim", what="kung"), t.safe_substitute(who="x"), outcome(lambda: t.substitute(who="x")), outcome(lambda: string.Template("$").substitute()), outcome(lambda: string.Template("${a").substitute(a=1)), string.Template("$a$b ${a}b $_x1").substitute({"a": 1, "b": 2, "_x1": 3}), string.Template("$ x $9").safe_substitute()],
    }
