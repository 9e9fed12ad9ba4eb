#!/bin/bash
# One topic, three versions of its contract, a service that was built for the second: what each of them wrote is read, and what the
# service's version cannot hold is a dead letter that says so. From an installation alone.
#
#     versions.sh BUILD
set -euo pipefail
# shellcheck source=tests/lib/installed.sh
source "$(dirname "$0")/installed.sh" 2> /dev/null || source "$(dirname "$0")/../lib/installed.sh"
mesh=$(dirname "$0")/../golden/versions
KIT=("$mesh"/mesh.yaml "$mesh"/domains/shop/product.yaml "$mesh"/contracts/shop/payment.v{1,2,3}.avsc)
inside "$@"

base=http://127.0.0.1:8081
export MESH_PSEUDONYM_KEY="a key for tests that is long enough"
mkdir -p domains/shop contracts/shop
cp "$kit"/mesh.yaml .
cp "$kit"/product.yaml domains/shop/
cp "$kit"/payment.v?.avsc contracts/shop/

meshgen generate > out 2>&1 || { cat out; fail "meshgen generate"; }
grep -q "MG064.*will refuse some records of 'shop/payment@3'" out || { cat out; fail "nobody says what will be refused"; }
ok "meshgen says what will be refused"
{ meson setup build/out build/gen/shop --werror && ninja -C build/out; } > out 2>&1 || { cat out; fail "the service does not build"; }
ok "the service builds"

meshgen topics > topics.txt 2> /dev/null
mesh-broker --topics topics.txt --ready-file broker.ready > broker.log 2>&1 &
wait_for 20 "the broker is ready" test -s broker.ready
MESH_KAFKA_EMBEDDED=1 build/out/shop > service.log 2>&1 &
service=$!
trap 'status=$?; if [ $status != 0 ]; then tail -n 20 service.log broker.log; fi' EXIT
wait_for 20 "the service is ready" curl -sf $base/readyz

# send VERSION: CSV on standard input, written with that version; a column that is not there has its default.
send() {
    mesh-load --brokers "$(cat broker.ready)" --topic shop.payments --contract "contracts/shop/payment.v$1.avsc" --key card_id --time paid_at \
        > sent
}
at=$(date -u '+%F %T')
send 1 << END
payment_id,card_id,channel,land,amount,currency,pieces,paid_at
a,c,WEB,DE,10.00,EUR,2,$at
END
send 2 << END
payment_id,card_id,channel,amount,currency,items,fee,till,paid_at
b,c,WEB,20.00,EUR,3,0.50,t2,$at
END
send 3 << END
payment_id,card_id,channel,country,amount,currency,items,fee,till,paid_at
d,c,WEB,AT,30.00,EUR,4,0.25,t3,$at
e,c,KIOSK,FR,1.00,EUR,1,0.01,t4,$at
END
send 3 << END
payment_id,card_id,channel,amount,currency,items,fee,paid_at
f,c,WEB,7.00,EUR,1,0.01,$at
END

# 60.00 = 10 + 20 + 30; fees 2.56 (the default), 0.50, 0.25; 9 pieces and items; the symbol KIOSK is the enum's default for version 2.
rows() {
    curl -sf "$base/by-country?window=all" > rows.json &&
        jq -e '[.items[] | {channel, n, items, fee, total, country, till}] | group_by(.channel) | map(add) ==
            [{"channel": "OTHER", "n": 1, "items": 1, "fee": "0.01", "total": "1.00", "country": "FR", "till": "t4"},
             {"channel": "WEB", "n": 3, "items": 9, "fee": "3.31", "total": "60.00", "country": "AT", "till": "t3"}]' rows.json
}
wait_for 60 "all three versions are read: $(cat rows.json 2> /dev/null || true)" rows
ok "all three versions are read"
refused() { curl -sf $base/metrics | grep -Fx 'mesh_rejected_total{code="avro.union",input="payments"} 1'; }
wait_for 20 "the record without a till is a dead letter" refused
ok "the record without a till is a dead letter"

kill -TERM $service
wait $service || fail "SIGTERM: exit $?"
ok "stops when asked"
