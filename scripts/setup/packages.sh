#!/bin/bash
# Debian packages. `packages.sh minimal` is what building and `make run` need, `packages.sh full`
# what `make test` needs, `packages.sh browser` a Chromium for the browser tests.
# When all are there this is one dpkg-query and no more.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

minimal=(
    gcc make pkg-config meson ninja-build ca-certificates
    librdkafka-dev libavro-dev libmongoc-dev libmicrohttpd-dev libcurl4-openssl-dev libyaml-dev libjansson-dev
    libssl-dev libmimalloc-dev libxxhash-dev tzdata
)
full=(
    clang clang-format clang-tidy libclang-rt-14-dev shellcheck valgrind gdb
    libcmocka-dev libcurl4-openssl-dev libzstd-dev kcat curl jq sqlite3 zstd python3 python3-venv
    mmdebstrap podman buildah runc
)
browser=(chromium fonts-dejavu-core)

setup_part=packages
level=${1:-minimal}
case $level in
    minimal) wanted=("${minimal[@]}") ;;
    full)
        wanted=("${minimal[@]}" "${full[@]}")
        # A Java, Maven, Go, Node or Cargo that is already on PATH is as good, and often newer.
        command -v java > /dev/null || wanted+=(default-jre-headless)
        command -v mvn > /dev/null || wanted+=(maven)
        command -v go > /dev/null || wanted+=(golang)
        command -v npm > /dev/null || wanted+=(nodejs npm)
        command -v cargo > /dev/null || wanted+=(cargo)
        ;;
    browser) wanted=("${browser[@]}") ;;
    *)
        echo "usage: packages.sh minimal|full|browser" >&2
        exit 2
        ;;
esac

# find_missing: fills `missing` with those of `wanted` that are not installed.
find_missing() {
    local have name
    # shellcheck disable=SC2016  # dpkg-query's own format
    have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2> /dev/null |
        sed -n 's/^installed //p' || true)
    missing=()
    for name in "${wanted[@]}"; do
        grep -qxF -- "$name" <<< "$have" || missing+=("$name")
    done
}

command -v dpkg-query > /dev/null ||
    setup_cannot "install packages" "no dpkg here; install the equivalents of: ${wanted[*]}"
missing=()
find_missing
if [ ${#missing[@]} -eq 0 ]; then
    setup_say "ready ($level)"
    exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null ||
        setup_cannot "install ${#missing[@]} packages" \
            "not root and no sudo; run as root: apt-get install ${missing[*]}"
    setup_say "installing needs root, asking sudo"
    as_root=(sudo)
fi

mkdir -p "$setup_cache/log"
setup_log=$setup_cache/log/packages.log
exec 9> "$setup_cache/log/packages.lock"
flock 9
find_missing
if [ ${#missing[@]} -eq 0 ]; then
    setup_say "ready ($level)"
    exit 0
fi
: > "$setup_log"
setup_say "installing ${#missing[@]} ($level): ${missing[*]}"

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -o DPkg::Lock::Timeout=600 "$@" >> "$setup_log" 2>&1 9>&-
}
# The first attempt uses the lists that are there; if they are stale or absent, or another apt
# got in the way, the lists are read again and it is tried once more.
if ! apt install -y --no-install-recommends "${missing[@]}"; then
    apt update || setup_cannot "read the package lists" \
        "$(grep -m1 -E '^(E|Err|W):' "$setup_log" || echo "see $setup_log")"
    apt install -y --no-install-recommends "${missing[@]}" ||
        setup_cannot "install ${missing[*]}" \
            "$(grep -m1 '^E:' "$setup_log" || echo "see $setup_log")"
fi
setup_say "ready ($level) in $((SECONDS - setup_began)) s"
