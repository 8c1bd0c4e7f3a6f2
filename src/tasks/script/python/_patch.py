# Gives a built-in type further methods. A type finds its methods in a table that nothing in the language can write to, but whose
# place in the interpreter's memory is known: the table is swapped for one with more in it. The interpreter is of one fixed version,
# and tests show each method that comes this way.

import uctypes

_kept = []


def extend(kind, methods):
    known = kind.__dict__
    if not known:
        raise TypeError("a type without methods has no table of its own")
    table = {}
    for name in known:
        table[name] = known[name]
    table.update(methods)
    _kept.append(table)  # Else it would be collected as garbage: the type's own reference is outside of the heap.
    # An object is its type, then (for a table) its map: counts and flags, allocated, entries; four bytes each.
    uctypes.bytearray_at(id(known) + 4, 12)[:] = uctypes.bytes_at(id(table) + 4, 12)


def function_of(method):
    # The function inside a classmethod, which the language shows bound only: the second word of the object, put into a list.
    holder = [None]
    items = uctypes.bytes_at(id(holder) + 12, 4)
    uctypes.bytearray_at(int.from_bytes(items, "little"), 4)[:] = uctypes.bytes_at(id(method) + 4, 4)
    return holder[0]
