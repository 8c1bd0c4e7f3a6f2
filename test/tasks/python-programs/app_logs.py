import re
import statistics
from collections import Counter, defaultdict
from datetime import datetime

LOG = "\n".join(
    '10.0.0.%d - - [%02d/Mar/2024:%02d:%02d:07 +0000] "%s /api/v%d/items/%d HTTP/1.1" %d %d %.3f' % (i % 7, i % 28 + 1, i % 24, i * 7 % 60, ("GET", "POST", "PUT")[i % 3], i % 2 + 1, i % 13, (200, 200, 404, 200, 500)[i % 5], i * 37 % 900, i * 0.013 % 1)
    for i in range(200)
)
LINE = re.compile(r'(?P<ip>[\d.]+) - - \[(?P<at>[^\]]+)\] "(?P<method>\w+) (?P<path>/\S*) HTTP/[\d.]+" (?P<status>\d{3}) (?P<size>\d+) (?P<time>\d+\.\d+)')


def main(input):
    by_path = defaultdict(list)
    statuses = Counter()
    days = Counter()
    for line in LOG.splitlines():
        m = LINE.match(line)
        path = re.sub(r"\d+$", "{id}", m["path"])
        by_path[path].append(float(m["time"]))
        statuses[m["status"][0] + "xx"] += 1
        days[datetime.strptime(m["at"], "%d/%b/%Y:%H:%M:%S %z").strftime("%Y-W%W")] += 1
    return {
        "statuses": statuses,
        "weeks": sorted(days.items()),
        "paths": {p: {"n": len(v), "mean": statistics.fmean(v), "p95": statistics.quantiles(v, n=20)[-1], "sd": statistics.stdev(v)} for p, v in by_path.items()},
        "errors": [m.group("ip") for m in map(LINE.match, LOG.splitlines()) if m["status"] == "500"][:5],
    }
