"""Sessions that are called after dates, as people and spreadsheet programs write them."""

import re
from collections.abc import Iterable
from datetime import date

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DATE = re.compile(
    r"(?<![\d./])(?<!\d-)(?:(\d{1,2})([./-])(\d{1,2})\2(\d{4})|(\d\d)(\.)(\d\d)\.(\d\d)|(\d{1,2})(/)(\d{1,2})/(\d\d))"
    r"(?![./-]?\d)"
)
WITHOUT_MARKS = re.compile(r"(?<!\d)(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])((?:19|20)\d\d)(?!\d)")
"""Eight digits that are day, month and year: as year and month, they would be none."""
MONTH_IN_LETTERS = re.compile(rf"(?<!\d)(\d{{1,2}})([-_. ]?)({'|'.join(MONTHS)})[a-z]*\2(\d{{4}})(?!\d)", re.IGNORECASE)
AT_MIDNIGHT = re.compile(r"[ T]00:00(?::00(?:\.0+)?)?$")
"""What spreadsheet programs add to a date without a time."""


def year_first(sessions: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the sessions with dates as year, month and day, whose order is that in time, and those left open.

    Between dots, the day is first. Between others, a number above 12 in any of the sessions is a day, and tells what is
    first in all of them. Where nothing does, or two contradict each other, the year goes first, and the rest stays,
    with a slash. A year of two digits is one between dots, or where the second number is a day: of ``31/12/18``, nobody
    knows.

    Example:
        >>> year_first(["01.12.2019", "15.02.2019"])
        ({'01.12.2019': '2019-12-01', '15.02.2019': '2019-02-15'}, [])
        >>> year_first(["01/12/2019", "ses-3Jan2019"])
        ({'ses-3Jan2019': 'ses-2019-01-03', '01/12/2019': '2019 01/12'}, ['01/12/2019'])
    """
    names = dict.fromkeys(sessions)
    changed, unclear = {}, []
    dates: dict[str, re.Match[str]] = {}
    for name in names:
        plain = WITHOUT_MARKS.sub(r"\1.\2.\3", AT_MIDNIGHT.sub("", name))
        plain = MONTH_IN_LETTERS.sub(lambda one: f"{one[1]}.{MONTHS.index(one[3].lower()) + 1}.{one[4]}", plain)
        if plain != name:
            changed[name] = plain
        if match := DATE.search(plain):
            dates[name] = match
    parts = {name: [part for part in match.groups() if part] for name, match in dates.items()}
    others = [part for part in parts.values() if part[1] != "."]
    day, month = (any(int(part[place]) > 12 for part in others) for place in (0, 2))
    for name, match in dates.items():
        first, mark, second, year = parts[name]
        before, after = match.string[: match.start()], match.string[match.end() :]
        if mark != "." and ((len(year) == 2 and not month) or (day == month and first != second)):
            unclear.append(name)
            if len(year) == 4:
                changed[name] = f"{before}{year} {first}/{second}{after}"
            continue
        by_day = mark == "." or day
        full = int(year) + (0 if len(year) == 4 else 2000 if int(year) < 70 else 1900)
        try:
            iso = date(full, *map(int, (second, first) if by_day else (first, second))).isoformat()
            changed[name] = before + iso + after
        except ValueError:  # no date after all
            changed.pop(name, None)
    return changed, unclear
