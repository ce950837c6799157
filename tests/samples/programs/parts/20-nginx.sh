# The server's side. Each request carries its format's name, so that it lands in one log only.
ask() {
    local sample=$1
    shift
    curl --silent --output /dev/null --user-agent "orders/1.4" -H "X-Sample: $sample" "$@"
}

h() { have nginx-combined "$1"; }
ask nginx-combined "$url/orders?access_token=$(h hs256)"
ask nginx-combined "$url/orders?page=2&access_token=$(h rs256)&sort=asc"
ask nginx-combined "$url/orders?access_token=$(percent "$(h b64std)")&page=2"
ask nginx-combined "$url/cb?id_token=$(h jwe_dir)&state=af0ifjsldkj"
ask nginx-combined "$url/cb?redirect=$(percent "https://app.example/cb?access_token=$(h es256)&state=1")"
ask nginx-combined "$url/cb?header=Bearer%20$(h eddsa)"
ask nginx-combined "$url/cb?header=Bearer+$(h hex40)"
ask nginx-combined -e "https://app.example/cb?access_token=$(h jwe_rsa)&state=1" "$url/app.js"
ask nginx-combined -e "https://app.example/reset/$(h sdjwt)/confirm" "$url/app.css"
ask nginx-combined -u "svc-orders:$(h password)" "$url/orders"
ask nginx-combined -A "orders/1.4 (Bearer $(h uuid))" "$url/orders"
ask nginx-combined "$url/verify/$(h dpop)/confirm"
ask nginx-combined "$url/orders?token=$(h hex32)"
ask nginx-combined "$url/orders?jwt=$(h b64url)"
ask nginx-combined --data "client_assertion=$(h ghp)" "$url/token"
ask nginx-combined "$url/cb?code=$(h session)&state=af0ifjsldkj"
ask nginx-combined "$url/private?refresh_token=$(h xoxb)"
log nginx-combined <nginx/combined.log

for sample in nginx-headers nginx-logfmt; do
    h() { have "$sample" "$1"; }
    ask "$sample" -H "Authorization: Bearer $(h rs256)" "$url/orders"
    ask "$sample" -H "Authorization: Bearer $(h b64std)" "$url/orders?page=2"
    ask "$sample" -H "authorization: bearer $(h hex32)" -H "DPoP: $(h dpop)" "$url/orders"
    ask "$sample" -H "Authorization: Basic $(h basic)" "$url/orders"
    ask "$sample" -H "Authorization: Token token=\"$(h hex40)\"" "$url/orders"
    ask "$sample" --cookie "theme=dark; session=$(h hs256)" "$url/orders"
    ask "$sample" -H "X-Api-Key: $(h uuid)" "$url/orders?access_token=$(h es256)&page=2"
    ask "$sample" -e "https://app.example/cb?id_token=$(h jwe_dir)" "$url/orders"
    ask "$sample" "$url/login/$sample"
    ask "$sample" -H "Authorization: Bearer $(h numeric)" "$url/orders"
    log "$sample" <"nginx/${sample#nginx-}.log"
done

h() { have nginx-pipes "$1"; }
ask nginx-pipes -H "Authorization: Bearer $(h rs256)" "$url/orders"
ask nginx-pipes -H "Authorization: Bearer $(h b64std)" "$url/orders?page=2"
ask nginx-pipes -H "authorization: bearer $(h hex32)" "$url/orders"
ask nginx-pipes "$url/orders?access_token=$(h es256)&page=2"
ask nginx-pipes -e "https://app.example/cb?id_token=$(h jwe_dir)" "$url/orders"
ask nginx-pipes -H "Authorization: Basic $(h basic)" "$url/orders"
ask nginx-pipes -H "Authorization: Token token=\"$(h hex40)\"" "$url/orders"
log nginx-pipes <nginx/pipes.log
# Neither a name nor the word Bearer stands before these.
beyond nginx-pipes basic password hex40

h() { have nginx-json "$1"; }
ask nginx-json -H "Authorization: Bearer $(h rs256)" "$url/orders"
ask nginx-json -H "Authorization: Token token=\"$(h hex40)\"" "$url/orders"
ask nginx-json "$url/orders?access_token=$(h es256)&page=2"
ask nginx-json --cookie "theme=dark; session=$(h jwe_dir)" "$url/orders"
ask nginx-json -e "https://app.example/cb#id_token=$(h eddsa)" "$url/orders"
ask nginx-json --data "grant_type=refresh_token&refresh_token=$(h b64url)" "$url/form"
ask nginx-json --data "{\"access_token\":\"$(h hs256)\",\"token_type\":\"Bearer\"}" "$url/form"
ask nginx-json --data "{\"refresh_token\": \"$(h uuid)\"}" "$url/form"
ask nginx-json -H "Authorization: Basic $(h basic)" "$url/orders"
log nginx-json <nginx/json.log

h() { have nginx-error "$1"; }
: >nginx/error.log
ask none "$url/files/missing?access_token=$(h rs256)"
ask none "$url/upstream?access_token=$(h b64url)&page=2"
ask none -e "https://app.example/cb?id_token=$(h es256)" "$url/files/missing.js"
ask none "$url/files/$(h jwe_dir)"
ask none -H "Authorization: Bearer $(h hs256)" "$url/upstream"
ask none "$url/upstream?token=$(h uuid)"
# A header line that nginx refuses is quoted in the log.
ask none -H "Bad Header: Bearer $(h eddsa)" "$url/orders"
log nginx-error <nginx/error.log

h() { have nginx-debug "$1"; }
curl --silent --output /dev/null -H "Authorization: Bearer $(h rs256)" "http://127.0.0.1:$DEBUG_PORT/orders?access_token=$(h es256)"
curl --silent --output /dev/null -H "Authorization: Basic $(h basic)" --cookie "session=$(h b64url)" "http://127.0.0.1:$DEBUG_PORT/orders?token=$(h hex40)"
log nginx-debug <nginx/debug.log

h() { have nginx-debug-http2 "$1"; }
curl --silent --output /dev/null --http2-prior-knowledge -H "Authorization: Bearer $(h rs256)" "http://127.0.0.1:$DEBUG_H2_PORT/orders?access_token=$(h uuid)"
curl --silent --output /dev/null --http2-prior-knowledge -H "X-Api-Key: $(h hex32)" "http://127.0.0.1:$DEBUG_H2_PORT/orders"
log nginx-debug-http2 <nginx/debug-http2.log
