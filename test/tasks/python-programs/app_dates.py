from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlencode, urlsplit
import hashlib
import json


def business_days(start, end):
    days = (start + timedelta(n) for n in range((end - start).days + 1))
    return sum(1 for d in days if d.weekday() < 5)


def age(born, today):
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def main(input):
    start = date(2024, 1, 31)
    stamps = ["2024-03-01T10:00:00Z", "2024-03-01T12:30:00+02:00", "2024-02-28T23:59:59-05:00"]
    moments = sorted(datetime.fromisoformat(s.replace("Z", "+00:00")) for s in stamps)
    buckets = OrderedDict()
    for m in moments:
        buckets.setdefault(m.astimezone(timezone.utc).date().isoformat(), []).append(m.strftime("%H:%M"))
    url = urlsplit("https://shop.example/search?q=red+shoes&size=42&size=43#top")
    query = parse_qs(url.query)
    payload = json.dumps({"b": 1, "a": [1, 2]}, sort_keys=True, separators=(",", ":"))
    return [
        business_days(start, date(2024, 3, 15)), age(date(1990, 3, 2), date(2024, 3, 1)), list(buckets.items()), [(b - a).total_seconds() for a, b in zip(moments, moments[1:])],
        [(start.replace(day=1) - timedelta(days=30 * n)).strftime("%b %Y") for n in range(4)], [str(timedelta(seconds=s)) for s in (0, 59, 3661, 90061, 86400 * 3)], (datetime(2024, 12, 25) - datetime(2024, 2, 29)).days,
        query["q"], [int(s) for s in query["size"]], url.hostname, urlencode({"page": 2, "q": query["q"][0]}), payload, hashlib.sha256(payload.encode()).hexdigest(), datetime(2024, 2, 29).replace(year=2028).isoformat(),
    ]
