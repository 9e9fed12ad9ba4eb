"""The days of a time zone, by looking at its clock every minute."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


class Zones:
    def __init__(self):
        self.begins = {}

    def begin(self, name, date):
        """When the clock of the zone first shows this date, or a later one; milliseconds."""
        if (name, date) not in self.begins:
            zone = ZoneInfo(name)
            at = datetime(date.year, date.month, date.day, tzinfo=timezone.utc) - timedelta(hours=16)
            while at.astimezone(zone).date() < date:
                at += MINUTE
            self.begins[name, date] = (at - EPOCH) // timedelta(milliseconds=1)
        return self.begins[name, date]

    def days_around(self, name, time):
        """(begin, end) of the days that may hold this time."""
        date = (EPOCH + timedelta(milliseconds=time)).date()
        dates = [date + timedelta(days=n) for n in range(-2, 4)]
        return [(self.begin(name, a), self.begin(name, b)) for a, b in zip(dates, dates[1:])]
