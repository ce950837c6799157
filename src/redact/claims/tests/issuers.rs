//! Tokens as issuers write them, with made-up values.

use super::*;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn all_that_is_kept() {
    let header = r#"{"alg":"RS256","typ":"at+jwt","kid":"2024-07","x5u":"https://id.example/c.pem","jku":"https://id.example/k"}"#;
    let payload = r#"{"iss":"https://id.example","sub":"5f2a","aud":["https://api.example","b"],"azp":"web","client_id":"web2",
        "scope":"read write","iat":1790000000,"nbf":1790000001,"exp":1790003600,"jti":"j-1","cnf":{"jkt":"0ZcOCORZNYy"},"secret":"x"}"#;
    let expected = Claims {
        alg: some("RS256"),
        kid: some("2024-07"),
        typ: some("at+jwt"),
        key_in_header: Some("jku"),
        iss: some("https://id.example"),
        aud: vec!["https://api.example".into(), "b".into()],
        azp: some("web"),
        client_id: some("web2"),
        scope: some("read write"),
        iat: Some(1_790_000_000),
        nbf: Some(1_790_000_001),
        exp: Some(1_790_003_600),
        exp_unreadable: false,
        cnf: true,
        sub: digest("sub", "5f2a"),
        jti: digest("jti", "j-1"),
        principal: Principal::Unknown,
        has_payload: true,
    };
    assert_eq!(claims_in(token(header, payload).as_bytes()), expected);
}

#[test]
fn auth0() {
    let machine = claims_of(
        r#"{"iss":"https://tenant.eu.auth0.com/","sub":"Xk2fZ91mQ0aB@clients","aud":"https://api.example/","iat":1790000000,
        "exp":1790086400,"azp":"Xk2fZ91mQ0aB","scope":"read:orders write:orders","gty":"client-credentials"}"#,
    );
    assert_eq!(machine.principal, Principal::Workload);
    assert_eq!((machine.aud, machine.scope), (vec!["https://api.example/".into()], some("read:orders write:orders")));
    let person = claims_of(
        r#"{"iss":"https://tenant.eu.auth0.com/","sub":"auth0|65f1c0ffee","aud":["https://api.example/","https://tenant.eu.auth0.com/userinfo"],
        "iat":1790000000,"exp":1790086400,"azp":"spa7","scope":"openid profile email"}"#,
    );
    assert_eq!((person.principal, person.aud.len()), (Principal::Person, 2));
}

#[test]
fn keycloak() {
    let person = claims_of(
        r#"{"exp":1790000300,"iat":1790000000,"auth_time":1789999999,"jti":"onrtac:4b6d","iss":"https://sso.example/realms/shop",
        "aud":"account","sub":"d7a5fd6c-61cc-4a3e-b1a0-3f8f1c0e1c11","typ":"Bearer","azp":"shop-web","sid":"0a1b","acr":"1",
        "realm_access":{"roles":["offline_access"]},"resource_access":{"account":{"roles":["view-profile"]}},
        "scope":"openid email profile","email_verified":true,"name":"Ada Example","preferred_username":"ada","email":"ada@example.org"}"#,
    );
    assert_eq!((person.principal, person.typ), (Principal::Person, some("JWT")), "`typ` of the header");
    assert_eq!((person.azp, person.jti), (some("shop-web"), digest("jti", "onrtac:4b6d")));
    let service = claims_of(
        r#"{"exp":1790000300,"iat":1790000000,"jti":"trrtcc:4b6d","iss":"https://sso.example/realms/shop","aud":"account",
        "sub":"0e52ec7e-6f6b-4a6d-a6a4-cf2b02ae5b0a","typ":"Bearer","azp":"billing","scope":"email profile","clientHost":"10.1.2.3",
        "email_verified":false,"preferred_username":"service-account-billing","clientAddress":"10.1.2.3","client_id":"billing"}"#,
    );
    assert_eq!((service.principal, service.client_id), (Principal::Workload, some("billing")));
}

#[test]
fn microsoft_entra() {
    let app = claims_of(
        r#"{"aud":"api://6e74172b","iss":"https://sts.windows.net/3338040d/","iat":1790000000,"nbf":1790000000,"exp":1790003900,
        "appid":"2c1f9a1e","appidacr":"1","idp":"https://sts.windows.net/3338040d/","oid":"9d0ae1a5","roles":["Orders.Read"],"sub":"9d0ae1a5",
        "tid":"3338040d","uti":"xyz","ver":"1.0"}"#,
    );
    assert_eq!((app.principal, app.client_id), (Principal::Workload, None));
    let app = claims_of(r#"{"idtyp":"app","sub":"a","azp":"b","roles":["x"]}"#);
    assert_eq!(app.principal, Principal::Workload);
    let person = claims_of(
        r#"{"aud":"00000003-0000-0000-c000-000000000000","iss":"https://login.microsoftonline.com/3338040d/v2.0","exp":1790003900,
        "azp":"2c1f9a1e","name":"Ada Example","oid":"690222be","preferred_username":"ada@example.org","scp":"User.Read Mail.Read",
        "sub":"HKZpfaHyWadeOouYlitjrI","upn":"ada@example.org","amr":["pwd","mfa"]}"#,
    );
    assert_eq!((person.principal, person.scope), (Principal::Person, some("User.Read Mail.Read")));
}

#[test]
fn kubernetes() {
    let claims = claims_in(
        token(
            r#"{"alg":"RS256","kid":"6tTb2bYGWVXNvcPbDxqXDT3LmjTLCGSHjCvRCnbIS5U"}"#,
            r#"{"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1790003607,"iat":1790000000,
            "iss":"https://kubernetes.default.svc.cluster.local","jti":"5b0c","kubernetes.io":{"namespace":"shop","node":{"name":"n1"},
            "pod":{"name":"api-7d9f","uid":"1"},"serviceaccount":{"name":"api","uid":"2"}},"nbf":1790000000,"sub":"system:serviceaccount:shop:api"}"#,
        )
        .as_bytes(),
    );
    assert_eq!((claims.principal, claims.typ), (Principal::Workload, None));
    assert_eq!(claims.sub, digest("sub", "system:serviceaccount:shop:api"));
}

#[test]
fn google() {
    let person = claims_of(
        r#"{"iss":"https://accounts.google.com","azp":"1234.apps.googleusercontent.com","aud":"1234.apps.googleusercontent.com",
        "sub":"110169484474386276334","email":"ada@example.org","email_verified":true,"at_hash":"HK6E","nonce":"0394852","iat":1790000000,"exp":1790003600}"#,
    );
    assert_eq!(person.principal, Principal::Person);
    let service = claims_of(
        r#"{"aud":"https://run.example","azp":"1106","email":"api@shop.iam.gserviceaccount.com","email_verified":true,
        "exp":1790003600,"iat":1790000000,"iss":"https://accounts.google.com","sub":"1106"}"#,
    );
    assert_eq!(service.principal, Principal::Workload);
    let signed_by_itself = claims_of(
        r#"{"iss":"api@shop.iam.gserviceaccount.com","sub":"api@shop.iam.gserviceaccount.com","aud":"https://pubsub.googleapis.com/",
        "iat":1790000000,"exp":1790003600}"#,
    );
    assert_eq!(signed_by_itself.principal, Principal::Workload);
}

#[test]
fn workloads_of_others() {
    for payload in [
        // GitHub Actions
        r#"{"jti":"a","sub":"repo:octo-org/octo-repo:environment:prod","aud":"https://github.com/octo-org","ref":"refs/heads/main","sha":"e",
            "repository":"octo-org/octo-repo","actor":"octocat","workflow":"w","job_workflow_ref":"o/r/.github/workflows/w.yml@refs/heads/main",
            "iss":"https://token.actions.githubusercontent.com","nbf":1790000000,"exp":1790000900,"iat":1790000300}"#,
        // GitLab
        r#"{"iss":"https://gitlab.example","sub":"project_path:g/p:ref_type:branch:ref:main","aud":"https://vault.example","user_email":"a@b.example"}"#,
        // Terraform
        r#"{"iss":"https://app.terraform.io","sub":"organization:o:project:p:workspace:w:run_phase:apply"}"#,
        // SPIFFE
        r#"{"aud":["spiffe://example.org/db"],"exp":1790000900,"sub":"spiffe://example.org/api"}"#,
        // Okta
        r#"{"ver":1,"iss":"https://o.okta.example/oauth2/default","aud":"api://default","cid":"0oa1","scp":["orders"],"sub":"0oa1"}"#,
        // Amazon Cognito
        r#"{"sub":"4o1n","token_use":"access","scope":"orders/read","iss":"https://cognito-idp.eu-central-1.amazonaws.com/p","client_id":"4o1n"}"#,
        // RFC 9068 §5
        r#"{"sub":"web","client_id":"web","email":"ops@example.org"}"#,
        // Duende IdentityServer
        r#"{"iss":"https://id.example","client_id":"billing","scope":["orders"]}"#,
        r#"{"grant_type":"client_credentials","sub":"x"}"#,
    ] {
        assert_eq!(claims_of(payload).principal, Principal::Workload, "{payload}");
    }
}

#[test]
fn persons_and_who_knows() {
    for payload in [
        r#"{"email":"a@b.example"}"#,
        r#"{"scope":"openid","sub":"a","client_id":"b"}"#,
        r#"{"scp":["profile","openid"],"cid":"0oa1","uid":"00u1","sub":"a@b.example"}"#,
        r#"{"idtyp":"user"}"#,
        r#"{"auth_time":1}"#,
        r#"{"sub":"u","client_id":"web","nonce":"n"}"#,
        r#"{"client_id":"web","name":"Ada"}"#,
    ] {
        assert_eq!(claims_of(payload).principal, Principal::Person, "{payload}");
    }
    for payload in [
        "{}",
        r#"{"sub":"a"}"#,
        r#"{"sub":"","azp":""}"#,
        r#"{"email":null,"sub":1,"client_id":2}"#,
        r#"{"scope":"openidx"}"#,
    ] {
        assert_eq!(claims_of(payload).principal, Principal::Unknown, "{payload}");
    }
}

#[test]
fn scopes_and_audiences_come_in_several_forms() {
    let scope = |payload| claims_of(payload).scope;
    assert_eq!(scope(r#"{"scope":"a b"}"#), some("a b"));
    assert_eq!(scope(r#"{"scope":["a","b"]}"#), some("a b"));
    assert_eq!(scope(r#"{"scp":["a",{"x":[1]},"b"]}"#), some("a b"));
    assert_eq!(scope(r#"{"scp":"c","scope":"a"}"#), some("a"));
    assert_eq!(scope(r#"{"scope":"a","scp":"c"}"#), some("a"));
    assert_eq!(scope(r#"{"scope":7}"#), None);
    assert_eq!(scope(r#"{"scope":[]}"#), None);
    let aud = |payload| claims_of(payload).aud.join("|");
    assert_eq!(aud(r#"{"aud":"a"}"#), "a");
    assert_eq!(aud(r#"{"aud":["1","2","3",4,"5","6","7","8","9","10"]}"#), "1|2|3|5|6|7|8|9");
    assert_eq!(aud(r#"{"aud":{"a":1}}"#), "");
    assert_eq!(aud(r#"{"aud":"first","aud":"last"}"#), "last");
}

#[test]
fn times_come_in_several_forms() {
    let end = 253_402_300_799;
    for (value, expected) in [
        ("1700000000", Some(1_700_000_000)),
        ("1700000000.9", Some(1_700_000_000)),
        ("1.7e9", Some(1_700_000_000)),
        (r#""1700000000""#, Some(1_700_000_000)),
        (r#"" 1700000000.5 ""#, Some(1_700_000_000)),
        ("0", Some(0)),
        ("-5", Some(0)),
        (r#""-5""#, Some(0)),
        ("1700000000000", Some(end)),
        (r#""1700000000000""#, Some(end)),
        ("1e300", Some(end)),
        ("-1e300", Some(0)),
        ("18446744073709551615", Some(end)),
        ("99999999999999999999999999", Some(end)),
    ] {
        let claims = claims_of(&format!(r#"{{"exp":{value},"nbf":{value},"iat":{value}}}"#));
        assert_eq!((claims.exp, claims.nbf, claims.iat), (expected, expected, expected), "{value}");
        assert!(!claims.exp_unreadable, "{value}");
    }
    for value in [
        r#""""#,
        r#""-""#,
        r#""soon""#,
        r#""inf""#,
        r#""nan""#,
        r#""1e5""#,
        r#""2026-01-01T00:00:00Z""#,
        "true",
        "[1]",
        "{}",
    ] {
        let claims = claims_of(&format!(r#"{{"exp":{value},"nbf":{value}}}"#));
        assert_eq!((claims.exp, claims.nbf, claims.exp_unreadable), (None, None, true), "{value}");
    }
    for payload in ["{}", r#"{"exp":null}"#, r#"{"exp":"x","exp":null}"#] {
        let claims = claims_of(payload);
        assert_eq!((claims.exp, claims.exp_unreadable, claims.has_payload), (None, false, true), "{payload}");
    }
    let claims = claims_of(r#"{"exp":"x","exp":5}"#);
    assert_eq!((claims.exp, claims.exp_unreadable), (Some(5), false));
}

#[test]
fn a_key_binds_only_where_it_is_named() {
    for (value, binds) in [(r#"{"jkt":"x"}"#, true), ("{}", false), ("null", false), (r#""x""#, false), ("[1]", false)]
    {
        assert_eq!(claims_of(&format!(r#"{{"cnf":{value}}}"#)).cnf, binds, "{value}");
    }
}
