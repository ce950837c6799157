# Tools that people pipe logs through change what a credential looks like.
{
    h() { have jq-colour "$1"; }
    line() { printf '{"level":"info","status":200,"headers":{"authorization":"%s","x-api-key":"%s"},"access_token":"%s","id":%s}\n' "$@"; }
    {
        line "Bearer $(h rs256)" "$(h hex32)" "$(h uuid)" 1
        line "Bearer $(h hex40)" "$(h b64std)" "$(h es256)" 2
        line "Basic $(h basic)" "$(h ghp)" "$(h jwe_dir)" 3
    } >lines.json
    jq --color-output . lines.json
    jq --color-output --compact-output . lines.json
    jq --raw-output '[.level, .headers.authorization, .access_token] | @csv' lines.json
    jq --raw-output '[.level, .headers.authorization] | @sh' lines.json
    jq --raw-output '"GET /orders?access_token=\(.headers["x-api-key"] | @uri)&page=2"' lines.json
    jq --raw-output '"<p title=\"\(.headers | tojson | @html)\">"' lines.json
    jq --raw-output '.headers | @base64' lines.json
} | log jq-colour
# Columns without a name, and without the word Bearer.
beyond jq-colour basic password uuid
