# The interpreter's own module, found where it keeps it, with what it lacks.

import sys

_path = sys.path[:]
_known = {name: sys.modules.pop(name, None) for name in ("datetime", "time")}
sys.path[:] = [".frozen"]
try:
    import datetime as _native
finally:
    sys.path[:] = _path
    for _name, _module in _known.items():
        sys.modules.pop(_name, None)
        if _module is not None:
            sys.modules[_name] = _module

MINYEAR = _native.MINYEAR
MAXYEAR = _native.MAXYEAR
date = _native.date
datetime = _native.datetime
time = _native.time
timedelta = _native.timedelta
timezone = _native.timezone
tzinfo = _native.tzinfo
UTC = timezone.utc


def _offset(at, colon=""):
    offset = at.utcoffset() if hasattr(at, "utcoffset") else None
    if offset is None:
        return ""
    seconds = round(offset.total_seconds())
    sign = "-" if seconds < 0 else "+"
    seconds = abs(seconds)
    return "%s%02d%s%02d" % (sign, seconds // 3600, colon, seconds // 60 % 60)


def _strftime(self, format):
    from _strftime import formatted

    zone = (self.tzname() or "") if hasattr(self, "tzname") else ""
    if isinstance(self, time):
        t = (1900, 1, 1, self.hour, self.minute, self.second, 0, 1)
    else:
        yearday = self.toordinal() - date(self.year, 1, 1).toordinal() + 1
        clock = (self.hour, self.minute, self.second) if isinstance(self, datetime) else (0, 0, 0)
        t = (self.year, self.month, self.day) + clock + (self.weekday(), yearday)
    return formatted(format, t, getattr(self, "microsecond", 0), _offset(self), zone)


def _strptime(cls, text, format):
    from _strftime import parsed

    *fields, offset = parsed(text, format)
    zone = None if offset is None else timezone.utc if offset == 0 else timezone(timedelta(seconds=offset))
    return datetime(*fields, tzinfo=zone)


_IsoCalendarDate = None


def _isocalendar(self):
    global _IsoCalendarDate
    if _IsoCalendarDate is None:
        from collections import namedtuple

        _IsoCalendarDate = namedtuple("IsoCalendarDate", "year week weekday")
    ordinal = self.toordinal()
    weekday = self.weekday()
    # A week belongs to the year of its Thursday.
    thursday = date.fromordinal(ordinal - weekday + 3)
    week = (thursday.toordinal() - date(thursday.year, 1, 1).toordinal()) // 7 + 1
    return _IsoCalendarDate(thursday.year, week, weekday + 1)


def _of_week(cls, year, week, day):
    fourth = date(year, 1, 4)
    made = date.fromordinal(fourth.toordinal() - fourth.weekday() + (week - 1) * 7 + day - 1)
    if not 1 <= day <= 7 or made.isocalendar()[:2] != (year, week):
        raise ValueError("Invalid week: " + str(week))
    return made


def _ctime(self):
    return _strftime(self, "%a %b %e %H:%M:%S %Y")


_from_iso = datetime.fromisoformat


def _fromisoformat(cls, text):
    if text[-1:] in ("Z", "z"):
        text = text[:-1] + "+00:00"
    head, tail = text[:10], text[10:]
    if len(tail) > 1 and tail[0] not in "T ":
        raise ValueError("Invalid isoformat string: " + repr(text))
    dot = tail.find(".")
    if dot > 0:
        end = dot + 1
        while tail[end : end + 1].isdigit():
            end += 1
        digits = (tail[dot + 1 : end] + "000000")[:6]
        tail = tail[:dot] + "." + digits + tail[end:]
    try:
        return _from_iso(head + tail)
    except (ValueError, IndexError, TypeError):
        raise ValueError("Invalid isoformat string: " + repr(text))


def _repr_delta(self):
    parts = []
    if self.days:
        parts.append("days=" + str(self.days))
    if self.seconds:
        parts.append("seconds=" + str(self.seconds))
    if self.microseconds:
        parts.append("microseconds=" + str(self.microseconds))
    return "datetime.timedelta(" + (", ".join(parts) or "0") + ")"


def _str_delta(self):
    days = self.days
    seconds = self.seconds
    text = "%d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
    if self.microseconds:
        text += ".%06d" % self.microseconds
    return "%d day%s, %s" % (days, "" if abs(days) == 1 else "s", text) if days else text


def _repr_date(self):
    return "datetime.date(%d, %d, %d)" % (self.year, self.month, self.day)


_native_isoformat = datetime.isoformat
_DIGITS = {"hours": 13, "minutes": 16, "seconds": 19, "milliseconds": 23, "microseconds": 26}


def _isoformat(self, sep="T", timespec="auto"):
    if timespec == "auto":
        return _native_isoformat(self, sep)
    if timespec not in _DIGITS:
        raise ValueError("Unknown timespec value")
    return _strftime(self, "%Y-%m-%d" + sep + "%H:%M:%S.%f")[: _DIGITS[timespec]] + _offset(self, ":")


_native_tzname = timezone.tzname


def _tzname(self, dt):
    name = _native_tzname(self, dt)
    return "UTC" if name == "UTC+00:00" else name


def _repr_datetime(self):
    values = [self.year, self.month, self.day, self.hour, self.minute]
    if self.second or self.microsecond:
        values.append(self.second)
    if self.microsecond:
        values.append(self.microsecond)
    zone = "" if self.tzinfo is None else ", tzinfo=" + repr(self.tzinfo)
    return "datetime.datetime(" + ", ".join(map(str, values)) + zone + ")"


date.strftime = datetime.strftime = time.strftime = _strftime
date.isocalendar = datetime.isocalendar = _isocalendar
date.fromisocalendar = classmethod(_of_week)
date.ctime = datetime.ctime = _ctime
datetime.strptime = classmethod(_strptime)
datetime.fromisoformat = classmethod(_fromisoformat)
datetime.utcnow = classmethod(lambda cls: datetime.now(timezone.utc).replace(tzinfo=None))
datetime.utcfromtimestamp = classmethod(lambda cls, t: datetime.fromtimestamp(t, timezone.utc).replace(tzinfo=None))
datetime.today = classmethod(lambda cls: datetime.now())
datetime.utctimetuple = lambda self: self.astimezone(timezone.utc).timetuple() if self.tzinfo else self.timetuple()
datetime.__repr__ = _repr_datetime
timedelta.__repr__ = _repr_delta
datetime.isoformat = _isoformat
date.__repr__ = _repr_date
timedelta.__str__ = _str_delta
timezone.tzname = _tzname
