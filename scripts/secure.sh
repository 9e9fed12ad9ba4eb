# shellcheck shell=bash
# Sourced by kafka.sh and mongo.sh: what a server that demands proof needs. DIR/secure holds throw-away credentials, valid for a few
# days:
#
#   ca.pem                    the CA that signed the server's certificate and the clients' ones
#   other-ca.pem              a CA that signed nothing here
#   client.pem client.key     a client certificate; expired.pem one whose time is over, for the same key
#   locked.key key-password   the same key under a password
#   user password             a SCRAM user, and the file with the password
secure_days=3

# secure_sign DIR NAME SUBJECT DAYS [EXTENSIONS]: DIR/NAME.pem for the key DIR/NAME.key, which is made if need be.
secure_sign() {
    local dir=$1 name=$2 key=$1/$2.key
    [ "$name" != expired ] || key=$dir/client.key
    [ -s "$key" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$key"
    openssl req -new -key "$key" -subj "/CN=$3" |
        openssl x509 -req -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days "$4" \
            -extfile <(printf '%s\n' "${5:-}") -out "$dir/$name.pem"
}

make_credentials() {
    local dir=$1/secure name
    (
        umask 077
        mkdir -p "$dir.new"
        for name in ca other-ca; do
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$secure_days" \
                -keyout "$dir.new/$name.key" -out "$dir.new/$name.pem" -subj "/CN=mesh $name"
        done
        secure_sign "$dir.new" server server "$secure_days" 'subjectAltName=IP:127.0.0.1,DNS:localhost'
        secure_sign "$dir.new" client mesh "$secure_days"
        secure_sign "$dir.new" expired mesh -1
        head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$dir.new/key-password"
        openssl pkcs8 -topk8 -in "$dir.new/client.key" -passout "file:$dir.new/key-password" -out "$dir.new/locked.key"
        cat "$dir.new/server.key" "$dir.new/server.pem" > "$dir.new/keystore.pem"
        echo mesh > "$dir.new/user"
        head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$dir.new/password"
        mv "$dir.new" "$dir"
    ) > "$1/secure.log" 2>&1 || fail "making credentials failed, see $1/secure.log"
}

# secure_listeners SASL_PORT TLS_PORT: beside the plain one, which is the broker's own way and that of its tools.
secure_listeners() {
    echo ",SCRAM://127.0.0.1:$1,MTLS://127.0.0.1:$2"
}

secure_properties() {
    cat << PROPERTIES
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,MTLS:SSL
ssl.keystore.type=PEM
ssl.keystore.location=$1/secure/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location=$1/secure/ca.pem
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.scram.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.scram.ssl.client.auth=none
listener.name.mtls.ssl.client.auth=required
PROPERTIES
}

# secure_scram DIR: the arguments of StorageTool that make the user.
secure_scram() {
    local mechanism
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
        printf '%s\n' --add-scram "$mechanism=[name=$(< "$1/secure/user"),password=$(< "$1/secure/password")]"
    done
}
