#!/bin/bash
# docs/TUTORIAL.md is true: every command of it runs from an installation, in an empty folder, and answers what the page shows.
#
#     tutorial.sh BUILD
set -euo pipefail
# shellcheck source=tests/lib/installed.sh
source "$(dirname "$0")/installed.sh" 2> /dev/null || source "$(dirname "$0")/../lib/installed.sh"
KIT=("$(dirname "$0")/../lib/page.py" "$(dirname "$0")/../../docs/TUTORIAL.md")
inside "$@"

python3 "$kit/page.py" "$kit/TUTORIAL.md" || {
    tail -n 20 /dev/null ./*/*.log
    exit 1
}
