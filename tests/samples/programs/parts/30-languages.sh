# Services and clients in the languages that people log from.
python python_http.py credentials/python-http "$PORT" 2>&1 | log python-http
python python_objects.py credentials/python-objects "$PORT" "$CLOSED_PORT" 2>&1 | log python-objects
for format in json console logfmt; do
    python python_structured.py "credentials/python-$format" "$format" 2>&1 | log "python-$format"
done

python3 syslog_server.py syslog.port >syslog.txt &
receiver=$!
for _ in {1..100}; do
    [[ -s syslog.port ]] && break
    sleep 0.05
done
h() { have syslog "$1"; }
send() { logger --server 127.0.0.1 --port "$(<syslog.port)" --udp --id=412 --size 4096 "$@"; }
send --rfc3164 --tag orders --priority daemon.info "Authorization: Bearer $(h eddsa)"
send --rfc5424=notime,nohost --tag orders "refresh_token=$(h b64url) user=ada"
send --rfc5424=notime,nohost --tag orders --sd-id auth@32473 --sd-param "token=\"$(h hex40)\"" "login"
send --rfc5424=notime,nohost --tag orders "{\"headers\":{\"authorization\":\"Bearer $(h b64std)\"}}"
python python_syslog.py credentials/syslog "$(<syslog.port)"
wait "$receiver"
log syslog <syslog.txt

(cd node && node console.js "$work/credentials/node-console" 2>&1) | log node-console
# A buffer, printed as bytes in hexadecimal with blanks.
beyond node-console numeric
(cd node && NODE_DEBUG=http node client.js "$work/credentials/node-http" "$PORT" 2>&1) | log node-http
# A password as the option `auth`.
beyond node-http password
(cd node && node structured.js "$work/credentials/node-structured" 2>&1) | log node-structured

java -cp java -Djdk.httpclient.HttpClient.log=headers,requests,errors \
    Client credentials/java-log "$PORT" "$CLOSED_PORT" 2>&1 | log java-log
java -cp java -Djdk.internal.httpclient.debug=true \
    Client credentials/java-debug "$PORT" 2>&1 | log java-debug

for format in json full pretty; do
    target/debug/samples "credentials/rust-$format" "$format" 2>&1 | log "rust-$format"
    # The field of type Vec<u8>: numbers in decimal.
    beyond "rust-$format" hs256
done
