class AbstractContextManager:
    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        return None


class ContextDecorator:
    def __call__(self, function):
        def run(*args, **named):
            with self:
                return function(*args, **named)

        return run


class _Generated:
    def __init__(self, steps):
        self._steps = steps

    def __enter__(self):
        try:
            return next(self._steps)
        except StopIteration:
            raise RuntimeError("generator didn't yield")

    def __exit__(self, kind, error, trace):
        if kind is None:
            try:
                next(self._steps)
            except StopIteration:
                return False
            raise RuntimeError("generator didn't stop")
        try:
            self._steps.throw(error if error is not None else kind())
        except StopIteration:
            return True
        except BaseException as thrown:
            if thrown is error:
                return False
            raise
        raise RuntimeError("generator didn't stop after throw()")


def contextmanager(function):
    return lambda *args, **named: _Generated(function(*args, **named))


class closing(AbstractContextManager):
    def __init__(self, thing):
        self.thing = thing

    def __enter__(self):
        return self.thing

    def __exit__(self, *_):
        self.thing.close()


class suppress(AbstractContextManager):
    def __init__(self, *exceptions):
        self._exceptions = exceptions

    def __exit__(self, kind, error, trace):
        return kind is not None and issubclass(kind, self._exceptions)


class nullcontext(AbstractContextManager):
    def __init__(self, enter_result=None):
        self.enter_result = enter_result

    def __enter__(self):
        return self.enter_result


class ExitStack(AbstractContextManager):
    def __init__(self):
        self._callbacks = []

    def enter_context(self, manager):
        result = manager.__enter__()
        self._callbacks.append(manager.__exit__)
        return result

    def push(self, exit):
        self._callbacks.append(getattr(exit, "__exit__", exit))
        return exit

    def callback(self, callback, *args, **named):
        def run(*_):
            callback(*args, **named)

        self._callbacks.append(run)
        return callback

    def pop_all(self):
        other = ExitStack()
        other._callbacks, self._callbacks = self._callbacks, []
        return other

    def close(self):
        self.__exit__(None, None, None)

    def __exit__(self, kind, error, trace):
        had = kind is not None
        changed = False
        while self._callbacks:
            try:
                if self._callbacks.pop()(kind, error, trace):
                    kind = error = trace = None
                    changed = False
            except BaseException as thrown:
                kind, error, trace = type(thrown), thrown, None
                changed = True
        if changed:
            raise error
        return had and kind is None
