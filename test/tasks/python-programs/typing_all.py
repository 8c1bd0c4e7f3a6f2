from collections.abc import Iterable as Iterable2, Mapping as Mapping2
from typing import (
    TYPE_CHECKING, Any, Callable, Dict, Generic, Iterable, Iterator, List, Literal, NamedTuple, NewType, Optional, Protocol, Sequence, Set, Tuple, TypedDict, TypeVar, Union, cast, overload,
)

if TYPE_CHECKING:
    import nothing

T = TypeVar("T")
UserId = NewType("UserId", int)
Rows = List[Dict[str, Union[int, str, None]]]
Handler = Callable[[int], Optional[str]]


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


class Point(NamedTuple):
    y: int
    x: int = 5
    label: str = "p"

    def norm(self):
        return abs(self.x) + abs(self.y)

    @property
    def pair(self):
        return (self.x, self.y)


class Movie(TypedDict):
    name: str
    year: int


class Stack(Generic[T]):
    def __init__(self) -> None:
        self.items: List[T] = []

    def push(self, item: T) -> None:
        self.items.append(item)

    def pop(self) -> T:
        return self.items.pop()


class Sized(Protocol):
    def size(self) -> int: ...


class Box(Sized):
    def size(self) -> int:
        return 3


def first(xs: Sequence[T], default: Optional[T] = None) -> Optional[T]:
    return xs[0] if xs else default


def kind(mode: Literal["a", "b"], *rest: Any, **named: Tuple[int, ...]) -> Iterator[Set[str]]:
    yield {mode}


def main(input: Dict[str, Any]) -> Any:
    s: Stack[int] = Stack()
    s.push(1)
    s.push(2)
    p = Point(3)
    m: Movie = {"name": "x", "year": 1}
    n = Movie(name="y", year=2)
    Old = NamedTuple("Old", [("a", int), ("b", str)])
    return [
        s.pop(), Box().size(), first([9]), first([], 4), list(list(kind("a"))[0]), cast(int, "x"), UserId(5), p.x, p.norm(), list(p.pair), repr(p), Point(1, 2, "q")._asdict(), p == (3, 5, "p"), p._fields,
        m, n, isinstance(n, dict), Old(1, "b").b, outcome(lambda: Point()), list(Point(1, 2, "z")), p._replace(y=0).y, outcome(lambda: List()), TYPE_CHECKING, isinstance(p, tuple),
    ]
