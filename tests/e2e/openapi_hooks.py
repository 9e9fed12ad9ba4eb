"""What OpenAPI has no way to say of a request: that one parameter must not be less than another, and that nobody can make up the token of
a page, which the service signs (tests/e2e/lists.py pages with real ones). Loaded by schemathesis."""
import datetime

import schemathesis


def moment(text):
    try:
        return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


@schemathesis.hook
def filter_query(context, query):
    """`to` is not before `from`, and `after` is empty or not there; all else that the schema allows is sent."""
    query = query or {}
    if query.get("after"):
        return False
    begin, end = moment(query.get("from")), moment(query.get("to"))
    if begin is not None and end is not None and begin > end:
        return False
    return True
