import time
from datetime import date, datetime, time as clock, timedelta, timezone


def outcome(f):
    try:
        return f()
    except Exception as error:
        return "! " + type(error).__name__


def main(input):
    d = datetime(2024, 2, 29, 13, 5, 9, 123456)
    z = datetime(2024, 2, 29, 13, 5, tzinfo=timezone.utc)
    e = z.astimezone(timezone(timedelta(hours=-5, minutes=-30)))
    g = time.gmtime(1700000000)
    return {
        "iso": [d.isoformat(), str(d), z.isoformat(), e.isoformat(), date(2024, 1, 5).isoformat(), str(date(2024, 1, 5)), clock(1, 2).isoformat(), d.isoformat(" "), d.isoformat(timespec="seconds")],
        "repr": [repr(d), repr(date(2024, 1, 5)), repr(timedelta(days=1, seconds=5)), repr(timedelta(0)), repr(datetime(2024, 1, 1))],
        "parse": [datetime.fromisoformat(t).isoformat() for t in ("2024-01-02", "2024-01-02T03:04:05", "2024-01-02 03:04", "2024-01-02T03:04:05.678", "2024-01-02T03:04:05+02:00", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.123456-08:00")] + [date.fromisoformat("2024-12-31").isoformat(), outcome(lambda: datetime.fromisoformat("nope")), outcome(lambda: date.fromisoformat("2024-13-01"))],
        "strftime": [d.strftime(f) for f in ("%Y-%m-%d %H:%M:%S.%f", "%d/%m/%y", "%A %B %d", "%a %b", "%I:%M %p", "%j %U %W %w", "%%", "%Y%m%dT%H%M%SZ", "%G-W%V-%u")] + [z.strftime("%z %Z"), e.strftime("%z"), date(2024, 3, 1).strftime("%d %b %Y"), d.strftime("")],
        "strptime": [datetime.strptime(t, f).isoformat() for t, f in (("2024-02-29", "%Y-%m-%d"), ("29 Feb 2024 1:05 PM", "%d %b %Y %I:%M %p"), ("10/Oct/2000:13:55:36 -0700", "%d/%b/%Y:%H:%M:%S %z"), ("Monday January 01 24", "%A %B %d %y"), ("12:30:01.5", "%H:%M:%S.%f"), ("2024060", "%Y%j"))] + [outcome(lambda: datetime.strptime("x", "%Y")), outcome(lambda: datetime.strptime("2024-01-01 x", "%Y-%m-%d")), outcome(lambda: datetime.strptime("2024-02-30", "%Y-%m-%d"))],
        "math": [str(d + timedelta(days=1, hours=12)), (date(2024, 3, 1) - date(2024, 2, 1)).days, (datetime(2024, 1, 2) - datetime(2024, 1, 1, 12)).total_seconds(), str(timedelta(days=2, hours=3, seconds=4)), timedelta(hours=36).days, timedelta(hours=36).seconds, str(timedelta(minutes=90) * 2), timedelta(days=1) / timedelta(hours=6), str(-timedelta(hours=1)), timedelta(1) > timedelta(hours=23), str(date(2024, 12, 31) + timedelta(1)), timedelta(weeks=1) // timedelta(days=2), str(timedelta(milliseconds=1500)), abs(timedelta(-1)).days],
        "compare": [datetime(2024, 1, 1) < datetime(2024, 1, 2), date(2024, 1, 1) == date(2024, 1, 1), z == e, max(date(2023, 1, 1), date(2024, 1, 1)).year, sorted([date(2024, 1, 2), date(2024, 1, 1)])[0].day, len({date(2024, 1, 1), date(2024, 1, 1)})],
        "fields": [d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond, d.weekday(), d.isoweekday(), d.toordinal(), list(d.isocalendar()), str(d.date()), str(d.time()), d.replace(year=2020, day=1).isoformat(), z.timestamp(), str(datetime.fromtimestamp(0, timezone.utc)), str(datetime.combine(date(2024, 1, 1), clock(5, 6))), z.tzinfo is timezone.utc, list(d.timetuple())[:6], date(2024, 12, 30).isocalendar()[1], d.ctime(), date.fromisocalendar(2024, 1, 1).isoformat()],
        "errors": [outcome(lambda: datetime(2024, 13, 1)), outcome(lambda: date(2023, 2, 29)), outcome(lambda: timedelta("x")), outcome(lambda: clock(25)), outcome(lambda: z - d)],
        "time": [g.tm_year, g.tm_mon, g.tm_mday, g.tm_hour, g.tm_min, g.tm_sec, g.tm_wday, g.tm_yday, g[0], len(g), time.strftime("%Y-%m-%d", g), time.strptime("2024-02-03", "%Y-%m-%d").tm_yday, time.time() > 1e9, isinstance(time.time_ns(), int), time.perf_counter() <= time.perf_counter(), list(time.gmtime(0))[:8], list(time.gmtime(-1))[:6]],
        "now": [datetime.now() > datetime(2020, 1, 1), date.today() > date(2020, 1, 1), datetime.now(timezone.utc).tzinfo is not None, abs(datetime.now(timezone.utc).timestamp() - time.time()) < 5],
    }
