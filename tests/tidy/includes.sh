#!/bin/bash
# Layers: who may include whom. Reads the includes of every source and fails on one that points upward.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
declare -A may=(
    [platform/include]="mesh"
    [platform/base]="mesh base"
    [platform/metrics]="mesh base metrics"
    [platform/contract]="mesh base contract"
    [platform/store]="mesh base metrics store"
    [platform/io]="mesh base metrics store io"
    [platform/flow]="mesh base metrics contract store io flow"
    [platform/govern]="mesh base metrics contract store io flow govern"
    [platform/http]="mesh base metrics contract store io flow http"
    [platform/app]="mesh base metrics contract store io flow govern http app"
    [codegen]="mesh base contract codegen"
    [tools/ctl]="mesh base contract io flow govern ctl"
    [tools/broker]="mesh base broker topics"
    [tools/topics]="mesh base io topics"
    [tools/sim]="mesh base contract io sim"
)
bad=0 files=0
for layer in "${!may[@]}"; do
    while IFS=: read -r file line text; do
        target=${text#*\"}
        target=${target%%/*}
        case " ${may[$layer]} " in
            *" $target "*) ;;
            *)
                echo "$file:$line: $layer may not include $target/ (it may: ${may[$layer]})"
                bad=$((bad + 1))
                ;;
        esac
    done < <(grep -rnE '^#include "[^"]*/' --include='*.c' --include='*.h' "$layer" || true)
    files=$((files + $(find "$layer" -name '*.[ch]' | wc -l)))
done
# generated code and hooks see include/mesh only
if grep -rnE '^#include "' templates --include='*.c.tmpl' --include='*.h.tmpl' | grep -vE '"(mesh/mesh\.h|\{\{p\}\}\.h)"|^templates/trial\.c\.tmpl:[0-9]+:#include "mesh/trial\.h"'; then
    echo "templates: generated code may include mesh/mesh.h and its own header only"
    bad=$((bad + 1))
fi
echo "$files files, $bad upward includes"
((files > 50 && bad == 0))
