# Credentials printed as bytes: forms that no text search meets. Perl's dumper is here for company.
perl dumper.pl credentials/perl-dumper 2>&1 | log perl-dumper

{
    h() { have bytes "$1"; }
    node -e 'console.log(Buffer.from(process.argv[1]))' "Authorization: Bearer $(h uuid)"
    node -e 'console.log([...Buffer.from(process.argv[1])].join(" "))' "$(h hex32)"
    node -e 'console.log(JSON.stringify({ data: Buffer.from(process.argv[1]) }))' "$(h hex40)"
    python3 -c 'import sys; print(list(sys.argv[1].encode()))' "$(h ghp)"
    printf 'Authorization: Bearer %s\r\n' "$(h hs256)" | hexdump -C
    printf 'Authorization: Bearer %s\r\n' "$(h es256)" | xxd
    printf '%s' "$(h dpop)" | xxd -p
    printf '%s' "$(h eddsa)" | xxd -p -c 0
    printf '%s' "$(h jwe_dir)" | openssl base64
    printf '%s' "$(h sdjwt)" | openssl base64 -A
    printf '\n'
    printf 'Authorization: Bearer %s' "$(h rs256)" | openssl base64 -A
    printf '\n'
    java -cp java Bytes "$(h numeric)"
} 2>&1 | log bytes
# All but the tokens that stand on one line in base64 or hexadecimal.
beyond bytes uuid hex32 hex40 ghp hs256 es256 dpop jwe_dir numeric
