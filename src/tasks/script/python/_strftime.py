DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)


def formatted(format, t, microsecond, offset, zone):
    # t: year, month, day, hour, minute, second, weekday (Monday is 0), day of the year
    year, month, day, hour, minute, second, weekday, yearday = t[:8]
    made = []
    chars = iter(format)
    for ch in chars:
        if ch != "%":
            made.append(ch)
            continue
        for kind in chars:
            break
        else:
            made.append("%")
            break
        if kind == "Y":
            text = "%d" % year
        elif kind == "m":
            text = "%02d" % month
        elif kind == "d":
            text = "%02d" % day
        elif kind == "e":
            text = "%2d" % day
        elif kind == "H":
            text = "%02d" % hour
        elif kind == "M":
            text = "%02d" % minute
        elif kind == "S":
            text = "%02d" % second
        elif kind == "f":
            text = "%06d" % microsecond
        elif kind == "y":
            text = "%02d" % (year % 100)
        elif kind == "j":
            text = "%03d" % yearday
        elif kind == "I":
            text = "%02d" % ((hour + 11) % 12 + 1)
        elif kind == "p":
            text = "AM" if hour < 12 else "PM"
        elif kind == "A":
            text = DAYS[weekday]
        elif kind == "a":
            text = DAYS[weekday][:3]
        elif kind == "B":
            text = MONTHS[month - 1]
        elif kind == "b" or kind == "h":
            text = MONTHS[month - 1][:3]
        elif kind == "w":
            text = str((weekday + 1) % 7)
        elif kind == "u":
            text = str(weekday + 1)
        elif kind == "U":
            text = "%02d" % ((yearday + 6 - (weekday + 1) % 7) // 7)
        elif kind == "W":
            text = "%02d" % ((yearday + 6 - weekday) // 7)
        elif kind == "G" or kind == "V":
            from datetime import date

            iso = date(year, month, day).isocalendar()
            text = str(iso[0]) if kind == "G" else "%02d" % iso[1]
        elif kind == "z":
            text = offset
        elif kind == "Z":
            text = zone
        elif kind == "F":
            text = "%d-%02d-%02d" % (year, month, day)
        elif kind == "T" or kind == "X":
            text = "%02d:%02d:%02d" % (hour, minute, second)
        elif kind == "R":
            text = "%02d:%02d" % (hour, minute)
        elif kind == "D" or kind == "x":
            text = "%02d/%02d/%02d" % (month, day, year % 100)
        elif kind == "c":
            text = formatted("%a %b %e %H:%M:%S %Y", t, 0, "", "")
        elif kind == "n" or kind == "t" or kind == "%":
            text = {"n": "\n", "t": "\t", "%": "%"}[kind]
        else:
            text = "%" + kind
        made.append(text)
    return "".join(made)


_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "y": 2, "j": 3, "I": 2, "f": 6}


def parsed(text, format):
    # year, month, day, hour, minute, second, microsecond, offset in seconds or None
    def fail():
        raise ValueError("time data " + repr(text) + " does not match format " + repr(format))

    format = format.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S").replace("%D", "%m/%d/%y").replace("%R", "%H:%M")
    got = {}
    at = 0
    offset = None
    chars = iter(format)
    for ch in chars:
        if ch != "%":
            if ch in " \t\n":
                while text[at : at + 1].isspace():
                    at += 1
                continue
            if text[at : at + 1] != ch:
                fail()
            at += 1
            continue
        kind = next(chars, "")
        if kind in _WIDTHS:
            digits = ""
            while len(digits) < _WIDTHS[kind] and text[at : at + 1].isdigit():
                digits += text[at]
                at += 1
            if not digits or (kind == "Y" and len(digits) != 4) or (kind == "y" and len(digits) != 2):
                fail()
            got[kind] = int(digits + "0" * (6 - len(digits))) if kind == "f" else int(digits)
        elif kind in "aAbBhp" and kind:
            names = DAYS if kind in "aA" else MONTHS if kind in "bBh" else ("AM", "PM")
            for index, name in enumerate(names):
                name = name if kind in "ABp" else name[:3]
                if text[at : at + len(name)].lower() == name.lower():
                    at += len(name)
                    got["p" if kind == "p" else "m" if kind in "bBh" else "a"] = index + (1 if kind in "bBh" else 0)
                    break
            else:
                fail()
        elif kind == "z":
            if text[at : at + 1] in ("Z", "z"):
                offset = 0
                at += 1
                continue
            sign = text[at : at + 1]
            digits = text[at + 1 : at + 3]
            rest = text[at + 3 : at + 6]
            minutes = rest[1:3] if rest[:1] == ":" else rest[:2]
            if sign not in ("+", "-") or not sign or not (digits + minutes).isdigit() or len(digits + minutes) != 4:
                fail()
            offset = (int(digits) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1)
            at += 6 if rest[:1] == ":" else 5
        elif kind == "Z":
            for name in ("UTC", "GMT"):
                if text[at : at + 3].upper() == name:
                    at += 3
                    break
        elif kind == "%":
            if text[at : at + 1] != "%":
                fail()
            at += 1
        else:
            raise ValueError("the format has %" + kind + ", which is not supported")
    if at < len(text):
        raise ValueError("unconverted data remains: " + text[at:])
    year = got.get("Y", 1900)
    if "y" in got:
        year = got["y"] + (2000 if got["y"] < 69 else 1900)
    hour = got.get("H", 0)
    if "I" in got:
        if not 1 <= got["I"] <= 12:
            fail()
        hour = got["I"] % 12 + 12 * got.get("p", 0)
    month = got.get("m", 1)
    day = got.get("d", 1)
    if "j" in got and "m" not in got:
        month = 1
        rest = got["j"]
        lengths = [31, 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        while month < 12 and rest > lengths[month - 1]:
            rest -= lengths[month - 1]
            month += 1
        day = rest
    if not 1 <= month <= 12 or not 1 <= day <= 31 or hour > 23 or got.get("M", 0) > 59 or got.get("S", 0) > 61:
        fail()
    return year, month, day, hour, got.get("M", 0), got.get("S", 0), got.get("f", 0), offset
