#!/bin/bash
# Apache Kafka for tests and development: its jars through Maven, and an archive of its class data,
# which halves the time of every start. Into .cache/kafka; scripts/kafka.sh runs it.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kafka=4.3.1 scala=2.13 log4j=2.25.4
setup_begin kafka "kafka $kafka r1"

for tool in java mvn; do
    command -v "$tool" > /dev/null ||
        setup_cannot "fetch Kafka $kafka" "no $tool on PATH; run scripts/setup/packages.sh full"
done
java=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
[ "${java:-0}" -ge 17 ] ||
    setup_cannot "run Kafka $kafka" "it needs Java 17, this is ${java:-unknown}"

home=$setup_cache/kafka
work=$(mktemp -d "$home/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
setup_say "fetching $kafka"
cat > "$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mesh</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_$scala</artifactId>
      <version>$kafka</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>$log4j</version>
    </dependency>
  </dependencies>
</project>
POM
mvn -B -q -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$work/libs" >> "$setup_log" 2>&1 9>&- ||
    setup_cannot "fetch Kafka $kafka through Maven" \
        "$(grep -m1 -E 'ERROR' "$setup_log" | cut -c 1-200 || true)"
rm -rf "$home/libs" "$home/kafka.jsa"
mv "$work/libs" "$home/libs"

# The archive is written when a broker ends that was started for this only.
run=$setup_root/scripts/kafka.sh
{
    KAFKA_ARCHIVE_DUMP=$home/kafka.jsa.new MESH_CACHE=$setup_cache "$run" start "$work/broker" &&
        "$run" stop "$work/broker"
} >> "$setup_log" 2>&1 9>&- || setup_broke "the trial start of Kafka $kafka failed"
[ -s "$home/kafka.jsa.new" ] && mv "$home/kafka.jsa.new" "$home/kafka.jsa"
setup_done
