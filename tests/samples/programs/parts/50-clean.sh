# Logs of real programs that hold no credential, though they talk about credentials a lot.
ask_clean() { curl --silent --output /dev/null --user-agent "orders/1.4 (token-tester)" -H "X-Sample: clean" "$@"; }
ask_clean "$url/"
ask_clean "$url/oauth/token"
ask_clean "$url/docs/bearer-tokens?lang=en&code=US"
ask_clean "$url/.well-known/openid-configuration"
ask_clean "$url/orders?token_type=bearer&page=2"
ask_clean "$url/orders?cursor=eyJvZmZzZXQiOjEyMCwibGltaXQiOjQwfQ&limit=40"
ask_clean "$url/orders?access_token=&page=2"
ask_clean "$url/authorize?response_type=code&client_id=orders&scope=openid%20profile&state=af0ifjsldkj&nonce=n-0S6_WzA2Mj"
ask_clean "$url/static/app.3f2a9c1b7d.js?v=9b74c9897bac770ffc029102a200c5de"
ask_clean -e "https://app.example/docs/what-is-a-bearer-token" "$url/app.css"
ask_clean "$url/orders/0b8f6f3e-6f0c-4a57-8d0b-0c1c1f7c2d55/items"
ask_clean --compressed "$url/moved?page=3"
ask_clean "$url/private"
clean nginx-access <nginx/clean.log

{
    curl_v "$url/private"
    curl_v --request OPTIONS -H "Origin: https://app.example" -H "Access-Control-Request-Headers: authorization, dpop" "$url/private"
    curl_v --http2-prior-knowledge -H "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" "$h2/orders"
    curl_v -H 'If-None-Match: "33a64df551425fcc55e4d42a148795d9f25f89d4"' "$url/orders"
    curl_v --digest -H "Accept: */*" "$url/digest"
    curl --help auth
    curl --help all | grep -iE 'auth|bearer|token|cookie'
} 2>&1 | clean curl-challenge

{
    # The documents of an issuer: key sets, signatures' algorithms, schemes, and no secret.
    mkdir -p site/.well-known
    cp credentials/jwks.json site/.well-known/jwks.json
    cp "$programs/documents/"*.json site/.well-known/
    for document in openid-configuration.json oauth-protected-resource.json openapi.json jwks.json; do
        curl --silent --include "$url/files/.well-known/$document"
    done
    python -c 'import json; print(json.dumps(json.load(open("credentials/jwks.json"))))'
} | clean oidc-documents

{
    git init --quiet --initial-branch main repository
    cd repository
    export GIT_AUTHOR_NAME="Ada" GIT_AUTHOR_EMAIL="ada@example.com" GIT_AUTHOR_DATE="2024-01-01T00:00:00Z"
    export GIT_COMMITTER_NAME="Ada" GIT_COMMITTER_EMAIL="ada@example.com" GIT_COMMITTER_DATE="2024-01-01T00:00:00Z"
    number=0
    while IFS= read -r subject; do
        number=$((number + 1))
        printf '%s\n' "$subject" >>notes.txt
        git add notes.txt
        git commit --quiet --message "$subject" --message "See RFC 6750, section $number: the bearer of a token is not asked who they are."
    done <"$programs/documents/subjects.txt"
    git log --stat
    git log --oneline --graph
    git log --patch --max-count 3
    cd ..
    # git hides what it sends, unless told otherwise: its own placeholder must stay.
    h() { have git-trace "$1"; }
    GIT_TERMINAL_PROMPT=0 GIT_CURL_VERBOSE=1 git -c http.extraHeader="Authorization: Bearer $(h ticket)" \
        ls-remote "$url/private/repo.git" 2>&1 || true
} | clean git-log

(cd node && node stack.js 2>&1 || true) | clean node-stack
{
    (cd node && npm pack --json --loglevel error)
    (cd node && npm run bearer --loglevel verbose 2>&1 || true)
    head -c 6000 node/package-lock.json
    printf '\n'
} | clean npm

java -cp java -Xmx32m -Xlog:gc*,safepoint:stdout:uptime,level,tags Garbage 2>&1 | sed -n 1,120p | clean java-gc
# Into a file, so that nothing that the program itself prints comes between.
java -Xlog:class+load:file=classes.txt:level,tags -cp java Client credentials/java-debug "$PORT" >/dev/null 2>&1
grep -iE 'token|auth|credential|header|key|secur' classes.txt | sed -n 1,80p | clean java-classes

python python_clean.py "$PORT" 2>&1 | clean python

{
    cat cargo-build.txt
    cd rust
    "$cargo_bin/cargo" tree --locked --offline
    "$cargo_bin/rustc" --crate-type lib --emit metadata --out-dir "$work" refused.rs 2>&1 || true
    cd ..
} | clean cargo

{
    tail -n 60 /var/log/dpkg.log 2>/dev/null || true
    dpkg --list nginx-light curl strace wget libssl3 perl 2>/dev/null || true
    dpkg --search /usr/bin/curl 2>/dev/null || true
} | clean dpkg

{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=issuer.example 2>/dev/null
    openssl x509 -in cert.pem -text -fingerprint -sha256
    openssl dgst -sha256 cert.pem
    openssl dgst -sha512 -r cert.pem
    openssl dgst -sha384 -binary cert.pem | openssl base64 -A
    printf '\n'
} | clean openssl
