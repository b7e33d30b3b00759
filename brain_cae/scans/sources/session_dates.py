"""Sessions of a table that are dates, as people and spreadsheet programs write them."""

import re
from collections.abc import Iterable
from datetime import date

DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
AT_MIDNIGHT = re.compile(r"[ T]00:00(?::00(?:\.0+)?)?$")
"""What spreadsheet programs add to a date without a time."""


def year_first(sessions: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the sessions that are dates as year, month and day, whose order is that in time, and those left open.

    Between dots, the day is first. Between others, a number above 12 in any of the sessions is a day, and tells what is
    first in all of them. Where nothing does, or two contradict each other, the year goes first, and the rest stays.

    Example:
        >>> year_first(["01.12.2019", "15.02.2019"])
        ({'01.12.2019': '2019-12-01', '15.02.2019': '2019-02-15'}, [])
        >>> year_first(["01/12/2019", "2019-02-15 00:00:00"])
        ({'2019-02-15 00:00:00': '2019-02-15', '01/12/2019': '2019 01/12'}, ['01/12/2019'])
    """
    names = dict.fromkeys(sessions)
    changed = {name: plain for name in names if (plain := AT_MIDNIGHT.sub("", name)) != name}
    dates = {name: match for name in names if (match := DATE.fullmatch(changed.get(name, name)))}
    others = [match for match in dates.values() if match[2] != "."]
    day, month = (any(int(match[place]) > 12 for match in others) for place in (1, 3))
    unclear = []
    for name, match in dates.items():
        first, mark, second, year = match.groups()
        if mark != "." and day == month and first != second:
            changed[name] = f"{year} {first}{mark}{second}"
            unclear.append(name)
            continue
        by_day = mark == "." or day
        try:
            changed[name] = date(int(year), *map(int, (second, first) if by_day else (first, second))).isoformat()
        except ValueError:  # no date after all
            changed.pop(name, None)
    return changed, unclear
