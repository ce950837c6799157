# curl's own diagnostics. Progress goes nowhere, so that only what a person would paste is left.
curl_v() { curl --silent --show-error --verbose --output /dev/null --user-agent curl/7.88.1 "$@" 2>&1; }

{
    h() { have curl-http1 "$1"; }
    curl_v -H "Authorization: Bearer $(h rs256)" "$url/orders"
    curl_v --oauth2-bearer "$(h hs256)" "$url/orders"
    curl_v --oauth2-bearer "$(h b64std)" "$url/orders"
    curl_v -H "authorization: bearer $(h jwe_dir)" "$url/orders"
    curl_v -H "AUTHORIZATION: BEARER $(h hex32)" "$url/orders"
    curl_v -H "Authorization: DPoP $(h es256)" -H "DPoP: $(h dpop)" "$url/orders"
    curl_v -H "Proxy-Authorization: Bearer $(h eddsa)" -H "X-Api-Key: $(h hex40)" "$url/orders"
    curl_v -H "Authorization:Bearer $(h uuid)" "$url/orders"
    curl_v -u "svc-orders:$(h password)" "$url/orders"
    curl_v --cookie "theme=dark; session=$(h b64url)" "$url/orders?access_token=$(h jwe_rsa)"
    curl_v "$url/login/curl-http1"
    curl_v "$url/orders/$(h sdjwt)"
    curl_v --digest -u "svc-orders:$(h password)" "$url/digest"
    curl_v --aws-sigv4 aws:amz:eu-west-1:orders -u "svc-orders:$(h ticket)" "$url/orders"
    curl_v --location "$url/moved?access_token=$(h ghp)"
    curl_v --data "grant_type=refresh_token&refresh_token=$(h xoxb)" "$url/orders"
    curl_v -H "Authorization: Bearer $(h numeric)" "$url/private"
} | log curl-http1
# What a request was signed with can be sent again.
grep -oP '(?<=Signature=|response=")[0-9a-f]+' "$out/curl-http1.log" >"$out/curl-http1.secrets"

{
    h() { have curl-http2 "$1"; }
    h2() { curl_v --http2-prior-knowledge "$@"; }
    h2 -H "Authorization: Bearer $(h rs256)" "$h2/orders"
    h2 --oauth2-bearer "$(h b64url)" "$h2/orders"
    h2 -H "authorization: Bearer $(h jwe_rsa)" "$h2/orders?page=2"
    h2 -H "X-Auth-Token: $(h uuid)" -H "X-Access-Token: $(h hs256)" "$h2/orders"
    h2 -H "DPoP: $(h dpop)" -H "Authorization: DPoP $(h es256)" "$h2/orders"
    h2 -u "svc-orders:$(h password)" "$h2/orders"
    h2 --cookie "session=$(h b64std)" "$h2/orders?access_token=$(h jwe_dir)&page=2"
    h2 -H "Authorization: token $(h ghp)" "$h2/orders"
} | log curl-http2

{
    h() { have curl-strace "$1"; }
    traced() { strace -f -qq -e trace=write,sendto,execve -s 2000 -o /dev/stdout curl --silent --output /dev/null "$@"; }
    # Without the process ids of -f the lines of one run line up; the environment is left out of execve.
    traced -H "Authorization: Bearer $(h rs256)" "$url/orders"
    traced --oauth2-bearer "$(h hex40)" "$url/orders?access_token=$(h es256)"
    traced -H "X-Api-Key: $(h b64std)" --data "{\"refresh_token\":\"$(h uuid)\"}" "$url/orders"
    strace -f -qq -e trace=sendto -s 280 -o /dev/stdout curl --silent --output /dev/null -H "Authorization: Bearer $(h hs256)" "$url/orders"
    strace -f -qq -e trace=sendto -s 140 -o /dev/stdout curl --silent --output /dev/null -H "Authorization: Bearer $(h b64url)" "$url/orders"
} | log curl-strace

{
    h() { have curl-trace "$1"; }
    traced() { curl --silent --output /dev/null --user-agent curl/7.88.1 "$@" "$url/orders"; }
    traced --trace-ascii - -H "Authorization: Bearer $(h rs256)"
    traced --trace-ascii - -H "Authorization: Bearer $(h uuid)"
    traced --trace-ascii - --data "refresh_token=$(h hex40)"
    traced --trace - -H "Authorization: Bearer $(h hs256)"
    traced --trace - -H "X-Api-Key: $(h hex32)"
} | log curl-trace
beyond curl-trace rs256 hs256 hex32

{
    h() { have shell-xtrace "$1"; }
    cat >deploy.sh <<END
TOKEN='$(h rs256)'
export API_TOKEN='$(h ghp)'
curl -s -o /dev/null -H "Authorization: Bearer \$TOKEN" "$url/orders"
curl -s -o /dev/null --oauth2-bearer "$(h b64url)" "$url/orders"
curl -s -o /dev/null --oauth2-bearer="$(h uuid)" "$url/orders" || true
curl -s -o /dev/null --header="authorization: bearer $(h hex40)" "$url/orders" || true
curl -s -o /dev/null -H'X-Api-Key: $(h hex32)' "$url/orders?access_token=$(h es256)"
curl -s -o /dev/null --data '{"refresh_token":"$(h b64std)"}' "$url/orders"
curl -s -o /dev/null -u "svc-orders:$(h password)" "$url/orders"
printf 'Authorization: Bearer %s\n' "\$TOKEN"
env | grep API_TOKEN
set | grep -a TOKEN=
declare -p TOKEN
END
    bash -x deploy.sh 2>&1
} | log shell-xtrace
beyond shell-xtrace password ghp

{
    h() { have git-trace "$1"; }
    g() { GIT_TERMINAL_PROMPT=0 GIT_TRACE=1 GIT_CURL_VERBOSE=1 GIT_TRACE_REDACT=0 git "$@" 2>&1 || true; }
    g ls-remote "http://oauth2:$(h ghp)@127.0.0.1:$PORT/private/repo.git"
    g ls-remote "http://$(h hex40)@127.0.0.1:$PORT/private/repo.git"
    g -c http.extraHeader="Authorization: Bearer $(h rs256)" ls-remote "$url/private/repo.git"
    GIT_TRACE2_EVENT=1 git -c http.extraHeader="AUTHORIZATION: bearer $(h es256)" ls-remote "$url/private/repo.git" 2>&1 || true
} | log git-trace

{
    h() { have wget-debug "$1"; }
    w() { wget --debug --output-document=/dev/null --tries=1 "$@" 2>&1 || true; }
    w --header="Authorization: Bearer $(h rs256)" "$url/orders?page=2"
    w --header="Authorization: Bearer $(h hex40)" "$url/private"
    w "$url/orders?access_token=$(h jwe_dir)"
    w --user=svc-orders --password="$(h password)" --auth-no-challenge "$url/orders"
    w "$url/login/wget-debug"
    w "http://svc-orders:$(h xoxb)@127.0.0.1:$CLOSED_PORT/orders"
} | log wget-debug
beyond wget-debug password
