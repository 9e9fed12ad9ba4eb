#!/bin/bash
# The form of the sources by clang-format, warnings as errors under gcc and clang, clang-tidy, shell scripts by shellcheck. lint.sh
set -euo pipefail
cd "$(dirname "$0")/.."
if command -v clang-format > /dev/null; then
    git ls-files '*.c' '*.h' | grep -v '^tests/golden/' | xargs clang-format --dry-run --Werror
    echo "form: as .clang-format says"
else
    echo "skip: clang-format is not installed"
fi
for cc in gcc clang; do
    command -v "$cc" > /dev/null || { echo "skip: $cc is not installed"; continue; }
    dir=build-lint-$cc
    [ -f "$dir/build.ninja" ] || CC=$cc meson setup "$dir" --werror > "$dir.log" 2>&1 || { cat "$dir.log"; exit 1; }
    ninja -C "$dir" > "$dir.log" 2>&1 || { grep -E 'error:|warning:' "$dir.log" | head -40; exit 1; }
    rm -f "$dir.log"
    echo "$cc: clean"
done
if command -v clang-tidy > /dev/null && [ -f build-lint-clang/compile_commands.json ]; then
    git ls-files 'platform/*.c' 'codegen/*.c' 'tools/*.c' |
        xargs -P "$(nproc)" -n 4 clang-tidy -p build-lint-clang --quiet > build-lint-tidy.log 2> /dev/null ||
        { grep -E ' (error|warning): ' build-lint-tidy.log | sort -u | head -40; exit 1; }
    rm -f build-lint-tidy.log
    echo "clang-tidy: clean"
else
    echo "skip: clang-tidy is not installed"
fi
if command -v shellcheck > /dev/null; then
    git ls-files | xargs grep -lE '^#!/bin/bash' | xargs shellcheck -x --severity=warning
    echo "shell scripts: clean"
else
    echo "skip: shellcheck is not installed"
fi
