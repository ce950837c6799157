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
    printf '%s' "$(h eddsa)" | xxd -p
    printf '%s' "$(h eddsa)" | xxd -p -c 0
    printf '%s' "$(h rs256)" | openssl base64
    printf 'Authorization: Bearer %s' "$(h rs256)" | openssl base64 -A
    printf '\n'
    java -cp java Bytes "$(h numeric)"
} 2>&1 | log bytes
