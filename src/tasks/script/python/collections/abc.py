from typing import (
    Awaitable, AsyncIterable, AsyncIterator, Callable, Collection, Container, Coroutine, Generator, Hashable, ItemsView, Iterable,
    Iterator, KeysView, Mapping, MutableMapping, MutableSequence, MutableSet, Reversible, Sequence, Set, Sized, ValuesView,
)
