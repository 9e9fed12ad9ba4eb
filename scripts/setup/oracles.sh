#!/bin/bash
# Other people's programs that say what is right, for the tests that ask them: cel-go about expressions, Java Avro about
# contracts, LightGBM about scores. Into .cache/oracles; their code is
# fetched through their own package managers and no part of it is in this repository. What cannot be had is named, and the tests that
# would ask it are skipped.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

tests=$setup_root/tests
setup_begin oracles "oracles $(cat "$tests"/oracle_*/judge/* "${BASH_SOURCE[0]}" | sha256sum | cut -c 1-16)"
home=$setup_cache/oracles
missing=()

if command -v go > /dev/null; then
    setup_say "fetching and building cel-go (half a minute)"
    if (cd "$tests/oracle_cel/judge" && CGO_ENABLED=0 go build -buildvcs=false -trimpath -o "$home/oracle-cel.new" .) >> "$setup_log" 2>&1 9>&-; then
        mv "$home/oracle-cel.new" "$home/oracle-cel"
    else
        missing+=("cel-go ($(grep -m1 . "$setup_log" | cut -c 1-120))")
    fi
else
    missing+=("cel-go (no go on PATH)")
fi

avro=1.12.1
if command -v javac > /dev/null && command -v mvn > /dev/null; then
    setup_say "fetching Java Avro $avro"
    work=$(mktemp -d "$home/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cat > "$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mesh</groupId>
  <artifactId>avro</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.avro</groupId>
      <artifactId>avro</artifactId>
      <version>$avro</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-nop</artifactId>
      <version>2.0.17</version>
    </dependency>
  </dependencies>
</project>
POM
    if mvn -B -q -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work/avro/libs" >> "$setup_log" 2>&1 9>&- &&
        javac -cp "$work/avro/libs/*" -d "$work/avro/classes" "$tests/oracle_avro/judge/Judge.java" >> "$setup_log" 2>&1; then
        rm -rf "$home/avro"
        mv "$work/avro" "$home/avro"
    else
        missing+=("Java Avro $avro ($(grep -m1 ERROR "$setup_log" | cut -c 1-120))")
    fi
else
    missing+=("Java Avro (no javac or no mvn on PATH)")
fi

lightgbm=4.6.0
if command -v python3 > /dev/null; then
    setup_say "fetching LightGBM $lightgbm"
    rm -rf "$home/lightgbm"
    if ! { python3 -m venv "$home/lightgbm" && "$home/lightgbm/bin/pip" install -q --disable-pip-version-check "lightgbm==$lightgbm"; } >> "$setup_log" 2>&1 9>&-; then
        missing+=("LightGBM $lightgbm ($(tail -n 1 "$setup_log" | cut -c 1-120))")
        rm -rf "$home/lightgbm"
    fi
else
    missing+=("LightGBM (no python3 on PATH)")
fi

((${#missing[@]} == 0)) || setup_cannot "fetch" "$(IFS=,; echo "${missing[*]}")"
setup_done
