#!/bin/bash
# What schemas and a schema registry are held against, for the tests that ask them: Apicurio, a registry that speaks Confluent's API,
# through Maven; Confluent's Python serializers and fastavro, through pip into a virtual environment. Into .cache/registry. What cannot
# be had is named, and the tests that would ask it are skipped; what is there is kept.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The newest Apicurio that Java 17 runs; it begins empty and keeps everything in memory.
apicurio=2.6.13.Final confluent=2.11.1 fastavro=1.12.0
setup_begin registry "registry apicurio $apicurio confluent-kafka $confluent fastavro $fastavro r1"
home=$setup_cache/registry
missing=()
work=$(mktemp -d "$home/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

java=0
command -v java > /dev/null && java=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
if [ -f "$home/apicurio/.$apicurio" ]; then
    :
elif [ "${java:-0}" -lt 17 ] || ! command -v mvn > /dev/null; then
    missing+=("Apicurio $apicurio (needs Java 17 and mvn on PATH)")
else
    setup_say "fetching Apicurio $apicurio (about 130 MB)"
    mkdir -p "$work/apicurio"
    if mvn -B -q dependency:copy -Dartifact="io.apicurio:apicurio-registry-app:$apicurio:tar.gz:all" \
        -DoutputDirectory="$work" >> "$setup_log" 2>&1 9>&- &&
        tar -xzf "$work/apicurio-registry-app-$apicurio-all.tar.gz" -C "$work/apicurio" >> "$setup_log" 2>&1; then
        touch "$work/apicurio/.$apicurio"
        rm -rf "$home/apicurio"
        mv "$work/apicurio" "$home/apicurio"
    else
        missing+=("Apicurio $apicurio ($(grep -m1 ERROR "$setup_log" | cut -c 1-120))")
    fi
fi

if [ -f "$home/python/.$confluent-$fastavro" ]; then
    :
elif ! command -v python3 > /dev/null; then
    missing+=("the Python serializers (no python3 on PATH)")
else
    setup_say "fetching confluent-kafka $confluent and fastavro $fastavro for Python"
    rm -rf "$home/python"
    if python3 -m venv "$home/python" >> "$setup_log" 2>&1 9>&- &&
        "$home/python/bin/pip" install -q --disable-pip-version-check \
            "confluent-kafka[schemaregistry,avro]==$confluent" "fastavro==$fastavro" >> "$setup_log" 2>&1 9>&-; then
        touch "$home/python/.$confluent-$fastavro"
    else
        rm -rf "$home/python"
        missing+=("the Python serializers ($(grep -m1 -E 'ERROR|rror:' "$setup_log" | cut -c 1-120))")
    fi
fi

((${#missing[@]} == 0)) || setup_cannot "fetch" "$(IFS=,; echo "${missing[*]}")"
setup_done
