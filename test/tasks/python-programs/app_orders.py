import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from enum import Enum
from itertools import groupby
from operator import attrgetter
from typing import List, Optional


class Status(Enum):
    OPEN = "open"
    PAID = "paid"
    SHIPPED = "shipped"


@dataclass(order=True)
class Line:
    sku: str
    quantity: int = 1
    price: float = 0.0

    @property
    def total(self) -> float:
        return round(self.quantity * self.price, 2)


@dataclass
class Order:
    id: int
    customer: str
    status: Status = Status.OPEN
    lines: List[Line] = field(default_factory=list)
    note: Optional[str] = None

    @property
    def total(self):
        return round(sum(line.total for line in self.lines), 2)

    @classmethod
    def parse(cls, data):
        return cls(data["id"], data["customer"].strip().title(), Status(data.get("status", "open")), sorted(Line(**l) for l in data["lines"]), data.get("note"))


DATA = """[
 {"id": 1, "customer": "ann lee ", "lines": [{"sku": "b", "quantity": 3, "price": 1.335}, {"sku": "a", "price": 2.5}]},
 {"id": 2, "customer": "BOB", "status": "paid", "lines": [{"sku": "c", "quantity": 2, "price": 10}], "note": "gift"},
 {"id": 3, "customer": "ann lee", "status": "shipped", "lines": []}
]"""


def main(input):
    orders = [Order.parse(o) for o in json.loads(DATA)]
    orders.sort(key=attrgetter("customer", "id"))
    grouped = {c: [o.id for o in g] for c, g in groupby(orders, key=attrgetter("customer"))}
    totals = defaultdict(float)
    for o in orders:
        totals[o.customer] += o.total
    try:
        Order.parse({"id": 9, "customer": "x", "status": "lost", "lines": []})
        bad = None
    except ValueError as error:
        bad = str(error)
    return {
        "grouped": grouped,
        "totals": totals,
        "states": [o.status.name for o in orders],
        "lines": [asdict(l) for o in orders for l in o.lines],
        "reprs": [repr(o.lines) for o in orders],
        "json": json.dumps([{"id": o.id, "status": o.status.value} for o in orders], sort_keys=True),
        "bad": bad,
    }
