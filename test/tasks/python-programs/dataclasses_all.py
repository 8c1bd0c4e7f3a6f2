from dataclasses import FrozenInstanceError, InitVar, KW_ONLY, asdict, astuple, dataclass, field, fields, is_dataclass, replace
from typing import ClassVar, Dict, List, Optional


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


@dataclass
class Point:
    x: int
    y: int = 0


@dataclass(order=True)
class Version:
    major: int
    minor: int = 0
    tag: str = field(default="", compare=False)


@dataclass(frozen=True)
class Money:
    """With a docstring: not a field."""

    amount: float
    currency: str = "EUR"

    @property
    def text(self):
        return f"{self.amount:.2f} {self.currency}"


@dataclass
class Basket:
    owner: str
    items: List[Money] = field(default_factory=list)
    tags: Dict[str, int] = field(default_factory=dict, repr=False)
    count: ClassVar[int] = 0
    total: float = field(init=False, default=0.0)

    def __post_init__(self):
        self.total = sum(i.amount for i in self.items)


@dataclass
class Base:
    a: int
    b: str = "b"


@dataclass
class Derived(Base):
    c: float = 1.5
    a: int = 7

    def double(self):
        return self.a * 2


@dataclass
class Scaled:
    value: float
    factor: InitVar[float] = 2.0

    def __post_init__(self, factor):
        self.value *= factor


@dataclass
class Options:
    name: str
    _: KW_ONLY
    retries: int = 3
    verbose: bool = False


@dataclass(eq=False, repr=False)
class Bare:
    v: int; w: int = 4


@dataclass
class Tree:
    value: int
    left: "Optional[Tree]" = None
    right: Optional["Tree"] = None
    text: str = "a: b = c"  # d: int


@dataclass(unsafe_hash=True)
class Hashed:
    k: str
    ignored: int = field(default=0, hash=False, compare=False)


def made_in_function():
    @dataclass
    class Local:
        zeta: int
        alpha: int = 2

    return Local(1)


def main(input):
    p = Point(1, 2)
    b = Basket("me", [Money(1.5), Money(2, "USD")], {"t": 1})
    o = Options("n", retries=5)
    t = Tree(1, Tree(2), Tree(3, None, Tree(4)))
    return {
        "point": [repr(p), p.x, p.y, p == Point(1, 2), p == Point(2, 1), p != Point(1, 3), repr(Point(5)), repr(Point(y=1, x=2)), p == (1, 2)],
        "errors": [outcome(f) for f in [
            lambda: Point(), lambda: Point(1, 2, 3), lambda: Point(1, z=2), lambda: hash(p), lambda: setattr(Money(1), "amount", 2), lambda: p < Point(2),
            lambda: asdict(5), lambda: replace(b, total=3), lambda: fields(5), lambda: Options("n", 5), lambda: Version(1) < 3,
        ]],
        "frozen": [outcome(lambda: delattr(Money(1), "amount")), hash(Money(1)) == hash(Money(1)), len({Money(1), Money(1), Money(2)}), Money(3).text, issubclass(FrozenInstanceError, AttributeError)],
        "order": [Version(1, 2) < Version(1, 10), Version(2) > Version(1, 9), Version(1) <= Version(1, 0, "x"), [v.minor for v in sorted([Version(1, 3), Version(1, 1)])], max(Version(1), Version(3)).major, Version(1, 0, "a") == Version(1, 0, "b")],
        "basket": [repr(b), b.total, asdict(b), astuple(b), Basket("x").items is Basket("y").items, Basket.count],
        "names": [[f.name for f in fields(c)] for c in (Point, Version, Basket, Derived, Scaled, Options, Tree)],
        "derived": [repr(Derived()), Derived(1, "x", 2.5).double(), isinstance(Derived(), Base), asdict(Derived(3))],
        "scaled": [repr(Scaled(2)), repr(Scaled(2, 5)), repr(Scaled(2, factor=0.5))],
        "options": [repr(o), o.retries, o.verbose],
        "bare": [Bare(1).w, Bare(1) == Bare(1), Bare(3).v],
        "replace": [repr(replace(p, y=9)), repr(replace(Money(1), currency="USD")), replace(o, verbose=True).verbose],
        "tree": [asdict(t), repr(t), t == Tree(1, Tree(2), Tree(3, None, Tree(4)))],
        "hashed": [hash(Hashed("a", 1)) == hash(Hashed("a", 2)), {Hashed("a"): 1}[Hashed("a", 5)]],
        "is": [is_dataclass(p), is_dataclass(Point), is_dataclass(5)],
        "local": [repr(made_in_function()).split(".")[-1], made_in_function().alpha],
        "factory": asdict(p, dict_factory=lambda pairs: [list(x) for x in pairs]),
        "match": Point.__match_args__,
    }
