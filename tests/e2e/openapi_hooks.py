"""What OpenAPI has no way to say of a request: that one parameter must not be less than another. Loaded by schemathesis."""
import datetime

import schemathesis


def moment(text):
    try:
        return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


@schemathesis.hook
def filter_query(context, query):
    """`to` is not before `from`; all else that the schema allows is sent."""
    begin, end = moment((query or {}).get("from")), moment((query or {}).get("to"))
    return begin is None or end is None or begin <= end
