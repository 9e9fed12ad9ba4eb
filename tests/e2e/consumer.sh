#!/bin/bash
# docs/CONSUMER.md is true: its commands run against the service of the tutorial, and answer what the page shows.
#
#     consumer.sh BUILD
set -euo pipefail
# shellcheck source=tests/lib/installed.sh
source "$(dirname "$0")/installed.sh" 2> /dev/null || source "$(dirname "$0")/../lib/installed.sh"
KIT=("$(dirname "$0")/../lib/page.py" "$(dirname "$0")/../../docs/TUTORIAL.md" "$(dirname "$0")/../../docs/CONSUMER.md")
inside "$@"

grep -q '^## A view of your own' "$kit/TUTORIAL.md" || fail "docs/TUTORIAL.md has no such section; up to it the service is made"
sed '/^## A view of your own/,$d' "$kit/TUTORIAL.md" | cat - "$kit/CONSUMER.md" > page.md
python3 "$kit/page.py" page.md || {
    tail -n 20 /dev/null ./*/*.log
    exit 1
}
