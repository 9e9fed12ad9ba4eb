#!/bin/bash
# A private librdkafka 2.12, newer than Debian's: the campaigns and the stated promises are for it.
# The source comes inside the crate rdkafka-sys, through cargo; it is built once into
# .cache/librdkafka, and linked statically (docs/decisions/008-librdkafka-is-linked-statically.md).
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

crate=4.10.0 version=2.12.1
setup_begin librdkafka "librdkafka $version r1"

command -v cargo > /dev/null ||
    setup_cannot "fetch librdkafka $version" "no cargo on PATH (its source is in a Rust crate)"
for tool in gcc make pkg-config; do
    command -v "$tool" > /dev/null ||
        setup_cannot "build librdkafka $version" "no $tool; run scripts/setup/packages.sh minimal"
done
pkg-config --exists libzstd openssl ||
    setup_cannot "build librdkafka $version" \
        "libzstd-dev or libssl-dev missing; run scripts/setup/packages.sh full"

prefix=$setup_cache/librdkafka
work=$(mktemp -d "$prefix/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

setup_say "fetching and building $version (about a minute)"
mkdir "$work/src"
: > "$work/src/lib.rs"
cat > "$work/Cargo.toml" <<TOML
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"
[dependencies]
rdkafka-sys = { version = "=$crate", default-features = false }
[workspace]
TOML
(cd "$work" && cargo vendor --versioned-dirs vendor) >> "$setup_log" 2>&1 ||
    setup_cannot "fetch the crate rdkafka-sys $crate" \
        "$(grep -m1 '^error' "$setup_log" || echo "see $setup_log")"
source=$(find "$work/vendor" -maxdepth 2 -type d -name librdkafka | head -n 1)
[ -n "$source" ] || setup_broke "the crate rdkafka-sys $crate holds no librdkafka"

# Vendoring drops the executable bits, hence the explicit bash. SASL/GSSAPI and curl would only
# bring libraries that no part of mesh uses.
(
    cd "$source"
    chmod -R u+w .
    bash ./configure --prefix="$prefix" --disable-gssapi --disable-curl --disable-lz4-ext
    make -j"$(nproc)" libs
    make -C src install
    install -D -m 0644 LICENSES.txt "$prefix/share/doc/librdkafka/LICENSES.txt"
) >> "$setup_log" 2>&1 9>&- || setup_broke "building librdkafka $version failed"
[ "$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --modversion rdkafka 2>&1)" = "$version" ] ||
    setup_broke "the built library does not call itself $version"
setup_done
