"""What OpenAPI has no way to say of a request: that one parameter must not be less than another, and that a list which must not name
a field twice must not name it as `n` and `-n` either. Loaded by schemathesis."""
import datetime

import schemathesis


def moment(text):
    try:
        return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


@schemathesis.hook
def filter_query(context, query):
    """`to` is not before `from`, no field is sorted by twice; all else that the schema allows is sent."""
    query = query or {}
    begin, end = moment(query.get("from")), moment(query.get("to"))
    if begin is not None and end is not None and begin > end:
        return False
    sort = query.get("sort")
    names = [str(s).lstrip("-") for s in (sort if isinstance(sort, list) else str(sort or "").split(","))]
    return len(names) == len(set(names))
