# The interpreter has no classes of classes: `metaclass=` is taken and has no effect, and nothing stops a class with abstract methods
# from being instantiated.

import builtins

_make_class = __build_class__


class ABCMeta:
    pass


class ABC:
    pass


def abstractmethod(function):
    return function


abstractproperty = property
abstractclassmethod = classmethod
abstractstaticmethod = staticmethod


def _build_class(body, name, *bases, metaclass=None, **named):
    return _make_class(body, name, *bases, **named)


builtins.__build_class__ = _build_class
