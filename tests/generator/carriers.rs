//! What credentials stand in (rows B1 to B13, and A9 for what needs no name).

use crate::encodings::Marked;
use crate::mint::Recognised;
use crate::neighbours::{AFTER, BEFORE};
use crate::random::Random;

/// What a carrier can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Only what its own form gives away.
    ByForm,
    /// Any credential: a name or scheme says what it is.
    Any,
    /// Only opaque tokens: a token of its own form is found by that, without what is around it.
    Opaque,
    Basic,
}

/// A text with a place for a credential.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// Its row and what it is.
    pub name: &'static str,
    pub holds: Holds,
    /// `{}` stands for the credential. `«` and `»` are around what is replaced, if that is more.
    template: &'static str,
}

impl Carrier {
    pub fn can_hold(&self, recognised: Recognised) -> bool {
        matches!(
            (self.holds, recognised),
            (Holds::Any, Recognised::ByForm | Recognised::ByContext)
                | (Holds::ByForm, Recognised::ByForm)
                | (Holds::Opaque, Recognised::ByContext)
                | (Holds::Basic, Recognised::AsBasic)
        )
    }

    /// More than the credential is replaced, so that the digest is that of the whole value.
    pub fn is_wider(&self) -> bool {
        self.template.contains('«')
    }

    pub fn is_of_lines(&self) -> bool {
        self.template.trim_end().contains('\n')
    }

    /// It shows the scheme `Bearer`, or it is JSON.
    pub fn is_for_base64(&self) -> bool {
        self.template.starts_with('{') || self.template.to_ascii_lowercase().contains("bearer ")
    }

    /// The text around an encoded credential.
    pub fn fill(&self, credential: &Marked) -> Marked {
        let (before, after) = self.template.split_once("{}").expect("a template has a place for the credential");
        let start = before.find('«').unwrap_or(before.len());
        let (before, after) = (before.replace('«', ""), after.split('»').collect::<Vec<_>>());
        let (inside, after) = match after[..] {
            [inside, after] => (inside, after),
            _ => ("", after[0]),
        };
        let end = before.len() + credential.bytes.len() + inside.len();
        let start = if self.is_wider() { start } else { before.len() + credential.span.start };
        let end = if self.is_wider() { end } else { before.len() + credential.span.end };
        let bytes = [before.as_bytes(), &credential.bytes, inside.as_bytes(), after.as_bytes()].concat();
        Marked { bytes, span: start..end }
    }
}

/// The carrier with random neighbours (A9).
pub fn neighbours(random: &mut Random) -> Marked {
    let (before, after) = (*random.pick(&[BEFORE, MORE_BEFORE].concat()), *random.pick(&[AFTER, MORE_AFTER].concat()));
    Marked { bytes: format!("{before}{after}").into_bytes(), span: before.len()..before.len() }
}

/// Puts an encoded credential between its neighbours.
pub fn between(credential: &Marked, neighbours: &Marked) -> Marked {
    let (before, after) = neighbours.bytes.split_at(neighbours.span.start);
    let bytes = [before, &credential.bytes, after].concat();
    Marked { bytes, span: before.len() + credential.span.start..before.len() + credential.span.end }
}

/// More of it.
const MORE_BEFORE: &[&str] = &["a.b. ", "\u{feff}", "`", "*"];
const MORE_AFTER: &[&str] = &[": no", "?a=1", "#x", "/confirm HTTP/1.1", "`", "*"];

macro_rules! carriers {
    ($($name:literal $holds:ident $template:literal;)*) => {
        &[$(Carrier { name: $name, holds: Holds::$holds, template: $template },)*]
    };
}

/// All carriers.
#[rustfmt::skip] // a table is read by lines
pub const CARRIERS: &[Carrier] = carriers! {
    "A9 query" ByForm "GET /orders?t={}&page=2";
    "A9 sentence" ByForm "the token ({}) was refused";
    "A9 json" ByForm r#"{"t":"{}","n":1}"#;
    "A9 csv" ByForm "17,{},200";
    "A9 xml" ByForm "<t>{}</t>";
    "A9 path" ByForm "GET /verify/{}/confirm HTTP/1.1";
    "B1 header" Any "Authorization: Bearer {}\r\n";
    "B1 lower case" Any "authorization: bearer {}";
    "B1 upper case" Any "AUTHORIZATION: BEARER {}";
    "B1 odd case" Any "aUtHoRiZaTiOn: bEaReR {}";
    "B1 no blank" Any "Proxy-Authorization:Bearer {}";
    "B1 tab" Any "X-Forwarded-Authorization:\tBearer\t{}";
    "B1 blanks" Any "Authorization:   Bearer    {}";
    "B2 curl" Any "> Authorization: Bearer {}";
    "B2 http/2" Any "* [HTTP/2] [1] [authorization: Bearer {}]";
    "B2 go map" Any "map[Accept:[*/*] Authorization:[Bearer {}] Host:[a]]";
    "B2 go syntax" Any r#"http.Header{"Accept":[]string{"*/*"}, "Authorization":[]string{"Bearer {}"}}"#;
    "B2 python dict" Any "{'Accept': '*/*', 'Authorization': 'Bearer {}', 'Host': 'a'}";
    "B2 python tuples" Any "[('host', 'a'), ('authorization', 'Bearer {}')]";
    "B2 python bytes" Any "[(b'host', b'a'), (b'authorization', b'Bearer {}')]";
    "B2 python send" Any r"send: b'GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nAccept: */*\r\n\r\n'";
    "B2 java map" Any "{accept=[*/*], authorization=[Bearer {}], host=[a]}";
    "B2 spring" Any r#"headers=[Accept:"*/*", Authorization:"Bearer {}", Host:"a"]"#;
    "B2 node inspect" Any "headers: { accept: '*/*', authorization: 'Bearer {}', host: 'a' }";
    "B2 node raw headers" Any "rawHeaders: [ 'Host', 'a', 'Authorization', 'Bearer {}', 'Accept', '*/*' ]";
    "B2 rust debug" Any r#"headers: {"accept": "*/*", "authorization": "Bearer {}"}"#;
    "B2 grpc" Any "Metadata(user-agent=grpc-java/1.6,authorization=Bearer {})";
    "B2 har" Any r#"{"headers":[{"name":"Authorization","value":"Bearer {}"}]}"#;
    "B2 json" Any r#"{"level":"info","authorization":"Bearer {}","status":200}"#;
    "B2 json array" Any r#"{"headers":{"authorization":["Bearer {}"]}}"#;
    "B2 json in json" Any r#"{"msg":"{\"authorization\":\"Bearer {}\"}","n":1}"#;
    "B2 xml" Any r#"<header name="Authorization">Bearer {}</header>"#;
    "B2 yaml" Any "  authorization: \"Bearer {}\"";
    "B2 csv" Any r#"12,"Authorization: Bearer {}",200"#;
    "B2 logfmt" Any r#"level=info authorization="Bearer {}" status=200"#;
    "B2 ruby" Any r#"{"HTTP_ACCEPT"=>"*/*", "HTTP_AUTHORIZATION"=>"Bearer {}"}"#;
    "B2 php" Any "'HTTP_AUTHORIZATION' => 'Bearer {}',";
    "B3 sentence" Any "sent Bearer {} to upstream";
    "B3 quoted" Any r#"auth="Bearer {}";"#;
    "B4 percent" Any "u=Bearer%20{}&x=1";
    "B4 plus" Any "u=Bearer+{}&x=1";
    "B4 json" Any r#"{"h":"Bearer\u0020{}"}"#;
    "B4 html" Any "&quot;Bearer {}&quot;";
    "B4 websocket" Any "Sec-WebSocket-Protocol: bearer, {}";
    "B5 dpop" Any "Authorization: DPoP {}";
    "B5 token" Any "Authorization: Token {}";
    "B5 api key" Any "Authorization: ApiKey {}";
    "B5 gnap" Any "Authorization: GNAP {}";
    "B5 pop" Any "Authorization: PoP {}";
    "B5 auth token" Any "X-Auth-Token: {}";
    "B5 api key header" Any "X-Api-Key: {}";
    "B5 access token" Any "X-Access-Token: {}";
    "B5 security token" Any "X-Amz-Security-Token: {}";
    "B5 dpop proof" ByForm "DPoP: {}";
    "B5 basic" Basic "Authorization: Basic {}";
    "B5 basic json" Basic r#"{"authorization":"Basic {}"}"#;
    "B6 query" Any "GET /api?page=2&access_token={}&sort=asc HTTP/1.1";
    "B6 fragment" Any "https://app.example/cb#access_token={}&token_type=Bearer";
    "B6 form" Any "grant_type=refresh_token&refresh_token={}&client_id=app";
    "B6 id token" Any "id_token={}";
    "B6 assertion" Any "client_assertion={}&scope=a";
    "B6 exchange" Any "subject_token={}&actor=b";
    "B6 token" Any "/ws?token={}";
    "B6 code" Any "/cb?code={}&state=1";
    "B6 jwt" Any "/cb?jwt={}&state=1";
    "B7 json" Any r#"{"token_type":"Bearer","access_token":"{}","expires_in":3600}"#;
    "B7 camel case" Any r#"{ "accessToken" : "{}" , "n" : 1 }"#;
    "B7 logfmt" Any "level=info refresh_token={} user=ada";
    "B7 logfmt quoted" Any "level=info access_token=\"{}\" user=ada";
    "B7 xml" Any "<access_token>{}</access_token>";
    "B7 java map" Any "TokenResponse[accessToken={}, tokenType=Bearer]";
    "B7 python dict" Any "{'id_token': '{}', 'expires_in': 3600}";
    "B7 go map" Any "map[access_token:{} expires_in:3600]";
    "B8 two schemes" Any "Authorization: Basic cGluZzpwb25n, Bearer {}";
    "B8 oauth" Opaque r#"Authorization: OAuth realm="a", oauth_nonce="7d8f", oauth_signature="{}""#;
    "B8 digest" Opaque r#"Authorization: Digest username="ada", realm="a", nonce="7ypf", uri="/x", response="{}", qop=auth"#;
    "B8 aws4" Opaque "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature={}";
    "B8 negotiate" Opaque "Authorization: Negotiate {}";
    "B8 sas" Opaque "Authorization: SharedAccessSignature sr=a&sig={}&se=1800000000&skn=root";
    "B9 curl" Any "curl -s -H 'Authorization: Bearer {}' https://a.example/";
    "B9 curl double quotes" Any "curl -H \"Authorization: Bearer {}\" https://a.example/";
    "B9 oauth2-bearer" Any "curl --oauth2-bearer {} https://a.example/";
    "B9 oauth2-bearer=" Any "curl --oauth2-bearer={} https://a.example/";
    "B9 git" Any "git -c http.extraHeader=\"AUTHORIZATION: bearer {}\" fetch";
    "B9 kubectl" Any "kubectl --token={} get pods";
    "B10 protobuf" Any "headers { key: \"authorization\" value: \"Bearer {}\" }";
    "B10 protobuf lines" Any "key: \"authorization\"\nvalue: \"Bearer {}\"\n";
    "B10 yaml lines" Any "- name: Authorization\n  value: Bearer {}\n";
    "B10 print_r" Any "    [Authorization] => Bearer {}\n";
    "B10 envoy" Any "key=authorization value=Bearer {}";
    "B10 har" Any r#"{"value":"Bearer {}","name":"Authorization"}"#;
    "B12 cookie" Any "Cookie: theme=dark; session={}; lang=en";
    "B12 jsessionid" Any "Cookie: JSESSIONID={}";
    "B12 set-cookie" Any "Set-Cookie: sid={}; Path=/; HttpOnly";
    "B12 phpsessid" Any "set-cookie: PHPSESSID={}; path=/";
    "B12 connect.sid" Opaque "Cookie: connect.sid=«s%3A{}»; lang=en";
    "B12 folded" Any "Authorization: Bearer\r\n  {}\r\n";
    "B13 password" Any "cloning https://ci:{}@git.example.com/a.git";
    "B13 user" Any "cloning https://{}@git.example.com/a.git";
};
