from enum import Enum, Flag, IntEnum, IntFlag, auto, unique


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


class Color(Enum):
    RED = 1
    GREEN = 2
    BLUE = 3
    CRIMSON = 1

    def label(self):
        return self.name.title()

    @property
    def is_warm(self):
        return self is Color.RED

    @classmethod
    def default(cls):
        return cls.GREEN

    @staticmethod
    def count():
        return 3


class State(Enum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"

    @classmethod
    def _missing_(cls, value):
        return cls.QUEUED if value is None else None


class Level(IntEnum):
    LOW = 10
    HIGH = 20


class Auto(Enum):
    ZETA = auto()
    ALPHA = auto()
    MIDDLE = 10
    LAST = auto()


class Planet(Enum):
    EARTH = (5.976e24, 6.37814e6)
    MARS = (6.421e23, 3.3972e6)

    def __init__(self, mass, radius):
        self.mass = mass
        self.radius = radius

    @property
    def gravity(self):
        return 6.67300e-11 * self.mass / (self.radius * self.radius)


class Mode(str, Enum):
    READ = "r"
    WRITE = "w"


class Perm(Flag):
    R = auto()
    W = auto()
    X = auto()


class Bits(IntFlag):
    A = 1
    B = 2


def main(input):
    return {
        "access": [Color.RED.name, Color.RED.value, Color(2).name, Color["BLUE"].value, str(Color.RED), repr(Color.GREEN), Color.CRIMSON.name, f"{Color.BLUE}"],
        "iterate": [[c.name for c in Color], [c.value for c in State], len(Color), [c.name for c in reversed(list(Color))], list(Color.__members__)],
        "identity": [Color.RED is Color(1), Color.RED == Color.RED, Color.RED != Color.BLUE, Color.RED == 1, Color.RED in Color, Color.CRIMSON is Color.RED, {Color.RED: "r"}[Color.RED]],
        "methods": [Color.GREEN.label(), Color.RED.is_warm, Color.BLUE.is_warm, Color.default().name, Color.count()],
        "errors": [outcome(f) for f in [
            lambda: Color(9), lambda: Color["NOPE"], lambda: Color.NOPE, lambda: setattr(Color, "RED", 5), lambda: State("nothing"), lambda: Color.RED < Color.BLUE,
        ]],
        "missing": State(None).name,
        "state": [State("running").name, State.DONE.value, [s.name for s in State if s is not State.DONE]],
        "int": [Level.LOW < Level.HIGH, Level.LOW + 1, 1 + Level.LOW, Level.HIGH == 20, Level(10).name, max(Level).name, sorted([Level.HIGH, Level.LOW])[0].name, int(Level.LOW), [0] * 3 + [Level.LOW.value], Level.HIGH - 5, Level.HIGH * 2, Level.HIGH / 8, isinstance(Level.LOW, int)],
        "auto": [[a.name, a.value] for a in Auto],
        "planet": [Planet.EARTH.gravity, Planet.MARS.mass, Planet.EARTH.value],
        "str": [Mode.READ == "r", Mode("w").name, Mode.READ.value, Mode.READ.upper(), isinstance(Mode.READ, str), Mode.READ + "b", "x" + Mode.READ, len(Mode.WRITE), [m.value for m in Mode]],
        "is": [isinstance(Color.RED, Color), isinstance(Color.RED, State), isinstance(1, Color), isinstance(Level.LOW, Level), isinstance(Color.RED, (int, Enum)), isinstance(5, int)],
        "flag": [(Perm.R | Perm.W).value, Perm.R in (Perm.R | Perm.X), Perm.W in (Perm.R | Perm.X), bool(Perm.R & Perm.W), (Perm.R ^ Perm.R).value, (~Perm.R).value, Perm(3) == Perm.R | Perm.W, [p.name for p in (Perm.R | Perm.X)], (Bits.A | Bits.B).value, Bits.A | 2 == 3],
        "unique": outcome(lambda: unique(Color)),
        "functional": [[c.name, c.value] for c in Enum("Animal", "CAT DOG")] + [[c.value for c in Enum("N", {"A": 5, "B": 6})]],
        "result": [Level.LOW, Mode.READ],
    }
