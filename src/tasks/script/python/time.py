from collections import namedtuple

from utime import gmtime as _gmtime, time as _time, time_ns as _time_ns

timezone = 0
altzone = 0
daylight = 0
tzname = ("UTC", "UTC")

struct_time = namedtuple("struct_time", "tm_year tm_mon tm_mday tm_hour tm_min tm_sec tm_wday tm_yday tm_isdst")
_named = struct_time
struct_time = lambda values: _named(*tuple(values)[:9])


def time():
    return _time()


def time_ns():
    return _time_ns()


# The clock stands still while a script runs.
perf_counter = monotonic = process_time = thread_time = time
perf_counter_ns = monotonic_ns = process_time_ns = thread_time_ns = time_ns


def sleep(seconds):
    raise RuntimeError("a script cannot sleep, it would hold up others; put a task of type sleep before or after this one")


def gmtime(secs=None):
    return _named(*(_of(int(_time() if secs is None else secs // 1)) + (0,)))


localtime = gmtime


def _of(secs):
    import datetime

    days, rest = divmod(secs, 86400)
    day = datetime.date.fromordinal(days + 719163)
    yearday = day.toordinal() - datetime.date(day.year, 1, 1).toordinal() + 1
    return (day.year, day.month, day.day, rest // 3600, rest // 60 % 60, rest % 60, day.weekday(), yearday)


def mktime(t):
    import datetime

    days = datetime.date(t[0], t[1], 1).toordinal() + t[2] - 1 - 719163
    return float(days * 86400 + t[3] * 3600 + t[4] * 60 + t[5])


def strftime(format, t=None):
    from _strftime import formatted

    t = gmtime() if t is None else t
    return formatted(format, tuple(t)[:9], 0, "", "UTC")


def asctime(t=None):
    return strftime("%a %b %e %H:%M:%S %Y", t)


def ctime(secs=None):
    return asctime(gmtime(secs))


def strptime(string, format="%a %b %d %H:%M:%S %Y"):
    from _strftime import parsed
    import datetime

    year, month, day, hour, minute, second, _, _ = parsed(string, format)
    at = datetime.date(year, month, day)
    yearday = at.toordinal() - datetime.date(year, 1, 1).toordinal() + 1
    return _named(year, month, day, hour, minute, second, at.weekday(), yearday, -1)
