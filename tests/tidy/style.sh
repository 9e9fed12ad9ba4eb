#!/bin/bash
# House rules that a machine can check: unsafe calls, <threads.h>, files with more than one subject, words of unfinished work.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
bad=0
complain() {
    echo "$1"
    bad=$((bad + 1))
}
sources=$(find platform codegen tools tests templates -name '*.[ch]' -o -name '*.tmpl' | grep -v '^tests/golden/' | sort)
while read -r hit; do complain "$hit: a call that cannot be used safely"; done < <(
    echo "$sources" | xargs grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atol|tmpnam|mktemp)\(' | grep -v 'tests/' | cut -d: -f1,2
)
while read -r hit; do complain "$hit: use pthread.h"; done < <(echo "$sources" | xargs grep -ln '<threads.h>' || true)
while read -r hit; do complain "$hit: unfinished by its own words"; done < <(
    echo "$sources" | xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b|not implemented' | cut -d: -f1,2 || true
)
while read -r n file; do
    ((n <= 700)) || complain "$file: $n lines; one subject per file (at most 700)"
done < <(echo "$sources" | xargs wc -l | grep -v ' total$')
echo "$(echo "$sources" | wc -l) files, $bad complaints"
((bad == 0))
