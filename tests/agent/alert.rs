//! Alerts over real sockets: what is sent, how often, and what becomes of it when the receiver does not want it.

use crate::certificates::{Authority, Signed, self_signed, write_private};
use crate::harness::until;
use crate::process::{Agent, Home};
use crate::receiver::{Answer, Receiver, Request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use beartrap::ledger::{Exposure, Filter, Store};
use beartrap::redact::{KeyRing, Options, Redaction};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const ISSUER: &str = "https://login.example/";
const SECRET: &[u8] = b"an alert's secret of 30 bytes!";

struct Token {
    text: String,
    signature: String,
}

fn token(claims: &str) -> Token {
    let mut signature = [0; 64];
    getrandom::fill(&mut signature).unwrap();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Token { text: format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims)), signature }
}

/// Of the issuer that may alert, and not expired for long.
fn mint(subject: &str) -> Token {
    token(&format!(r#"{{"iss":"{ISSUER}","sub":"{subject}","exp":4000000000}}"#))
}

fn line(token: &Token) -> String {
    format!("Authorization: Bearer {}\n", token.text)
}

/// The agent's directory, with a receiver that it knows.
struct Scene {
    home: Home,
    receiver: Receiver,
    scheme: &'static str,
}

impl Scene {
    /// A receiver whose certificate the agent can check.
    fn new(keys: &str) -> Self {
        let authority = Authority::new();
        let scene = Self::with(&authority, Some(&authority.sign_with("localhost", |_| {})), keys);
        // By a name, which takes the resolver.
        let config = std::fs::read_to_string(scene.home.path("config.toml")).unwrap();
        std::fs::write(scene.home.path("config.toml"), config.replace("https://127.0.0.1", "https://localhost"))
            .unwrap();
        scene
    }

    /// A receiver on this host, without TLS.
    fn plain(keys: &str) -> Self {
        Self::with(&Authority::new(), None, keys)
    }

    fn with(authority: &Authority, signed: Option<&Signed>, keys: &str) -> Self {
        let (home, receiver) = (Home::new(), Receiver::new(signed));
        home.follow_into(&format!("type = \"file\"\npath = \"{}\"\n", home.path("out.log").display()));
        write_private(&home.path("secret"), &format!("{}\n", String::from_utf8_lossy(SECRET)));
        write_private(&home.path("ca.crt"), &authority.pem());
        let scene = Self { home, receiver, scheme: if signed.is_some() { "https" } else { "http" } };
        let config = std::fs::read_to_string(scene.home.path("config.toml")).unwrap();
        std::fs::write(scene.home.path("config.toml"), config + &scene.section(keys)).unwrap();
        scene
    }

    fn section(&self, keys: &str) -> String {
        let path = |name| self.home.path(name).display().to_string();
        format!(
            "[ledger]\ninstance = \"host\"\nissuers = [\"{ISSUER}\"]\n[ledger.alert]\n\
             url = \"{}://{}/hook?place=hunter2\"\nsecret_file = \"{}\"\nca_file = \"{}\"\n{keys}\n",
            self.scheme,
            self.receiver.address,
            path("secret"),
            path("ca.crt"),
        )
    }

    fn log(&self, tokens: &[&Token]) {
        self.home.append(&tokens.iter().map(|token| line(token)).collect::<String>());
    }

    fn digest(&self, token: &Token) -> String {
        let key = std::fs::read(self.home.path(".local/state/beartrap/key")).unwrap();
        let redaction = Redaction::new(KeyRing::parse(&key).unwrap(), Options::default()).unwrap();
        redaction.fingerprints(token.text.as_bytes())[0].to_string().rsplit_once('-').unwrap().1.to_owned()
    }

    fn rows(&self) -> Vec<Exposure> {
        let store = Store::open_read_only(&self.home.path("data/ledger.db")).unwrap();
        store.list(&Filter::default(), jiff::Timestamp::now()).unwrap().exposures
    }

    /// Waits until all these were told of, each once.
    fn until_told(&self, tokens: &[&Token]) -> Vec<Request> {
        let expected: BTreeSet<String> = tokens.iter().map(|token| self.digest(token)).collect();
        let requests = until("all are told of", || {
            let requests = self.receiver.requests();
            let told: BTreeSet<String> = requests.iter().flat_map(Request::fingerprints).collect();
            expected.is_subset(&told).then_some(requests)
        });
        let told: BTreeSet<String> = requests.iter().flat_map(Request::fingerprints).collect();
        assert_eq!(told, expected);
        requests
    }

    fn until_out(&self, lines: usize) {
        until("all of it is out", || {
            let out = std::fs::read(self.home.path("out.log")).unwrap_or_default();
            (out.iter().filter(|byte| **byte == b'\n').count() == lines).then_some(())
        });
    }

    /// Waits until the ledger holds so many rows.
    fn until_recorded(&self, rows: usize) {
        until("the ledger has them", || {
            // It is there before there is anything in it.
            let store = Store::open_read_only(&self.home.path("data/ledger.db")).ok()?;
            let page = store.list(&Filter::default(), jiff::Timestamp::now()).ok()?;
            (page.exposures.len() >= rows).then_some(())
        });
    }

    fn stop(&self, agent: Agent) -> String {
        let (code, log) = agent.stop();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("hunter2"), "the address is a secret too: {log}");
        log
    }
}

fn assert_clean(tokens: &[&Token], requests: &[Request]) {
    for request in requests {
        let all = format!("{:?}{}", request.headers, String::from_utf8_lossy(&request.body));
        for token in tokens {
            let found =
                token.signature.as_bytes().windows(12).find(|piece| all.contains(std::str::from_utf8(piece).unwrap()));
            assert!(found.is_none(), "a piece of a signature is in a request");
        }
    }
}

#[test]
fn who_is_told_of_what_once_and_signed() {
    let scene = Scene::new("max_per_minute = 6000");
    let (one, two) = (mint("one"), mint("two"));
    let expired = token(&format!(r#"{{"iss":"{ISSUER}","exp":1000000000}}"#));
    let foreign = token(r#"{"iss":"https://forged.example/","exp":4000000000}"#);
    let all = [&one, &expired, &foreign];
    let agent = scene.home.agent(&[]);
    scene.log(&all);
    scene.until_told(&[&one]);
    // Again, elsewhere, and one more.
    scene.log(&all);
    scene.log(&[&two]);
    let requests = scene.until_told(&[&one, &two]);
    assert_eq!(requests.len(), 2);
    let log = scene.stop(agent);
    assert!(log.contains("ledger opened"), "{log}");

    let rows = scene.rows();
    assert_eq!(rows.len(), 4);
    for request in &requests {
        assert_eq!(request.line, "POST /hook?place=hunter2 HTTP/1.1");
        assert!(request.is_signed_with(SECRET) && !request.is_signed_with(b"another"));
        let header = |name: &str| request.headers[name].as_str();
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("user-agent"), concat!("beartrap/", env!("CARGO_PKG_VERSION")));
        assert!(request.id().starts_with("msg_") && !request.id().contains('.'));
        let age = jiff::Timestamp::now().as_second() - header("webhook-timestamp").parse::<i64>().unwrap();
        assert!((0..120).contains(&age));
        let body = request.json();
        let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["exposures", "instance", "ledger", "sent_at"]);
        assert_eq!(body["instance"], "host");
        assert!(body["sent_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        let told: Vec<Exposure> = serde_json::from_value(body["exposures"].clone()).unwrap();
        // As they were then: one was seen once more since.
        assert_eq!(told[0].claims.as_ref().unwrap().iss.as_deref(), Some(ISSUER));
        assert_eq!(told[0].occurrences, 1);
        let known = rows.iter().find(|row| row.fingerprint == told[0].fingerprint).unwrap();
        assert_eq!((&told[0].first_location, told[0].severity), (&known.first_location, known.severity));
        // The very shape of a row.
        assert_eq!(serde_json::to_value(&told).unwrap(), body["exposures"]);
    }
    assert_ne!(requests[0].id(), requests[1].id());
    assert_clean(&[&one, &two, &expired, &foreign], &requests);

    // Nobody is told again after a restart.
    let agent = scene.home.agent(&[]);
    let three = mint("three");
    scene.log(&[&three]);
    assert_eq!(scene.until_told(&[&one, &two, &three]).len(), 3);
    scene.stop(agent);
}

#[test]
fn what_fails_is_tried_again_under_the_same_id() {
    let scene = Scene::new("max_per_minute = 6000\ntimeout_secs = 1\nretry_max_secs = 0.2\nmax_attempts = 100");
    let later = Answer::Status(429, "Retry-After: 2\r\n".to_owned());
    let answers = [Answer::status(500), Answer::Drop, Answer::Hang, Answer::Drip, later, Answer::status(503)];
    scene.receiver.answer(answers.clone());
    let (one, two) = (mint("one"), mint("two"));
    let agent = scene.home.agent(&[]);
    scene.log(&[&one]);
    let requests = scene.receiver.until_asked(answers.len() + 1);
    agent.until_logged("alerts are delivered again");
    // Another one is another alert.
    scene.log(&[&two]);
    let all = scene.until_told(&[&one, &two]);
    assert_eq!(all.len(), answers.len() + 2);
    let log = scene.stop(agent);
    assert_eq!(log.matches("an alert can't be delivered").count(), 1, "{log}");
    for request in &requests {
        assert_eq!((request.id(), &request.body), (requests[0].id(), &requests[0].body));
        assert!(request.is_signed_with(SECRET));
    }
    assert_ne!(all.last().unwrap().id(), requests[0].id());
    let after = |index: usize| requests[index + 1].at - requests[index].at;
    // A receiver that hangs, and one that goes on and on, have a second each; the one that asks for time gets it.
    assert!(after(2) >= Duration::from_millis(900) && after(3) >= Duration::from_millis(900));
    assert!(after(4) >= Duration::from_secs(2), "{:?}", after(4));
}

#[test]
fn an_answer_without_an_end_is_not_read() {
    let scene = Scene::plain("max_per_minute = 6000\ntimeout_secs = 30");
    scene.receiver.always(Answer::Endless);
    let (one, two) = (mint("one"), mint("two"));
    let agent = scene.home.agent(&[]);
    scene.log(&[&one]);
    scene.receiver.until_asked(1);
    scene.log(&[&two]);
    let requests = scene.until_told(&[&one, &two]);
    assert!(requests[1].at - requests[0].at < Duration::from_secs(20));
    scene.stop(agent);
}

#[test]
fn there_are_only_so_many_requests_and_so_many_rows_in_each() {
    let scene = Scene::plain("max_per_minute = 60\nmax_batch = 3");
    let tokens: Vec<Token> = (0..8).map(|number| mint(&number.to_string())).collect();
    let tokens: Vec<&Token> = tokens.iter().collect();
    scene.log(&tokens);
    let agent = scene.home.agent(&[]);
    let requests = scene.until_told(&tokens);
    assert_eq!(requests.iter().map(|request| request.fingerprints().len()).collect::<Vec<_>>(), [3, 3, 2]);
    for pair in requests.windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(900), "{:?}", pair[1].at - pair[0].at);
    }
    scene.stop(agent);
}

#[test]
fn what_was_not_delivered_is_told_after_a_restart() {
    let scene = Scene::new("max_per_minute = 6000\nretry_max_secs = 0.2");
    scene.receiver.always(Answer::status(503));
    let (one, two) = (mint("one"), mint("two"));
    let agent = scene.home.agent(&[]);
    scene.log(&[&one, &two]);
    scene.receiver.until_asked(3);
    agent.until_logged("an alert can't be delivered");
    scene.until_recorded(2);
    // Dropped, it is killed.
    drop(agent);
    let failed = scene.receiver.requests().len();
    let agent = scene.home.agent(&[]);
    scene.receiver.until_asked(failed + 2);
    let log = scene.stop(agent);
    assert!(log.contains("503"), "{log}");
    // Answered, but nobody was there to hear it: it is told once more, under another id.
    let before = scene.receiver.requests().len();
    scene.receiver.always(Answer::Hang);
    let agent = scene.home.agent(&[]);
    scene.receiver.until_asked(before + 1);
    drop(agent);
    let before = scene.receiver.requests().len();
    scene.receiver.always(Answer::status(204));
    let agent = scene.home.agent(&[]);
    let requests = scene.receiver.until_asked(before + 1);
    let told = requests.last().unwrap().fingerprints();
    assert_eq!(BTreeSet::from_iter(told), [&one, &two].map(|token| scene.digest(token)).into());
    let asked = requests.len();
    scene.stop(agent);
    let agent = scene.home.agent(&[]);
    let three = mint("three");
    scene.log(&[&three]);
    let requests = scene.receiver.until_asked(asked + 1);
    assert_eq!(requests[asked..].iter().flat_map(Request::fingerprints).collect::<Vec<_>>(), [scene.digest(&three)]);
    scene.stop(agent);
}

#[test]
fn a_receiver_that_can_t_show_who_it_is_is_told_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let cases = [
        (self_signed(), "no authority that is trusted"),
        (other.sign_with("127.0.0.1", |_| {}), "no authority that is trusted"),
        (authority.sign(), "another name"),
        (
            authority.sign_with("127.0.0.1", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)),
            "its certificate is not valid",
        ),
    ];
    for (signed, why) in cases {
        let scene = Scene::with(&authority, Some(&signed), "max_per_minute = 6000\nretry_max_secs = 0.2");
        let agent = scene.home.agent(&[]);
        scene.log(&[&mint("one")]);
        agent.until_logged(why);
        until("it tries again", || (scene.receiver.connections() > 2).then_some(()));
        assert_eq!(scene.receiver.requests().len(), 0);
        scene.stop(agent);
    }
}

#[test]
fn files_are_read_again_for_each_alert() {
    let (authority, other) = (Authority::new(), Authority::new());
    let signed = authority.sign_with("127.0.0.1", |_| {});
    let scene = Scene::with(&other, Some(&signed), "max_per_minute = 6000\nretry_max_secs = 0.2");
    let (one, two, three) = (mint("one"), mint("two"), mint("three"));
    let agent = scene.home.agent(&[]);
    scene.log(&[&one]);
    agent.until_logged("no authority that is trusted");
    write_private(&scene.home.path("ca.crt"), &authority.pem());
    scene.until_told(&[&one]);
    // A secret that is to take the place of another: both sign.
    write_private(
        &scene.home.path("secret"),
        "whsec_bmV3IHNlY3JldCBvZiBlbm91Z2ggYnl0ZXM=\nan alert's secret of 30 bytes!\n",
    );
    scene.log(&[&two]);
    let requests = scene.until_told(&[&one, &two]);
    assert!(requests[1].is_signed_with(SECRET) && requests[1].is_signed_with(b"new secret of enough bytes"));
    // One that is not good does not end alerts.
    write_private(&scene.home.path("secret"), "short\n");
    scene.log(&[&three]);
    let requests = scene.until_told(&[&one, &two, &three]);
    assert!(requests[2].is_signed_with(SECRET));
    agent.until_logged("a file for alerts is not good");
    let log = scene.stop(agent);
    assert!(!log.contains("short\n"), "{log}");
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Receiver::new(None);
    let scene = Scene::plain("max_per_minute = 6000\nretry_max_secs = 0.2");
    let location = format!("Location: http://{}/\r\n", elsewhere.address);
    let statuses = [301, 302, 303, 307, 308];
    scene.receiver.answer(statuses.map(|status| Answer::Status(status, location.clone())));
    scene.receiver.always(Answer::Status(307, location));
    let agent = scene.home.agent(&[]);
    scene.log(&[&mint("one")]);
    scene.receiver.until_asked(statuses.len() + 1);
    agent.until_logged("redirects are not followed");
    scene.stop(agent);
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_receiver_that_hangs_holds_nothing_up() {
    let scene = Scene::new("max_per_minute = 6000\ntimeout_secs = 60");
    scene.receiver.always(Answer::Hang);
    let one = mint("one");
    let agent = scene.home.agent(&[]);
    scene.log(&[&one]);
    scene.receiver.until_asked(1);
    let lines: Vec<Token> = (0..200).map(|number| mint(&number.to_string())).collect();
    scene.log(&lines.iter().collect::<Vec<_>>());
    scene.until_out(201);
    scene.until_recorded(201);
    let started = Instant::now();
    scene.stop(agent);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn what_is_new_at_the_end_is_told_at_once() {
    let scene = Scene::new("max_per_minute = 1");
    let (one, two) = (mint("one"), mint("two"));
    let agent = scene.home.agent(&[]);
    scene.log(&[&one]);
    scene.until_told(&[&one]);
    scene.log(&[&two]);
    scene.until_out(2);
    scene.stop(agent);
    let told: Vec<_> = scene.receiver.requests().iter().flat_map(Request::fingerprints).collect();
    assert_eq!(told, [scene.digest(&one), scene.digest(&two)]);
}

#[test]
fn an_alert_that_is_not_wanted_makes_room_for_others() {
    let scene = Scene::plain("max_per_minute = 6000\nretry_max_secs = 0.2\nmax_attempts = 3\nmax_batch = 1");
    scene.receiver.answer([Answer::status(422), Answer::status(400), Answer::status(500)]);
    let (one, two) = (mint("one"), mint("two"));
    let agent = scene.home.agent(&[]);
    scene.log(&[&one]);
    scene.receiver.until_asked(3);
    scene.log(&[&two]);
    let requests = scene.receiver.until_asked(4);
    assert_eq!(requests[3].fingerprints(), [scene.digest(&two)]);
    agent.until_logged("the receiver of alerts refuses exposures");
    // Seen again it is told of again.
    scene.log(&[&one]);
    let requests = scene.receiver.until_asked(5);
    assert_eq!(requests[4].fingerprints(), [scene.digest(&one)]);
    assert_ne!(requests[4].id(), requests[0].id());
    scene.stop(agent);
}

#[test]
fn only_what_is_bad_enough_is_told() {
    let scene = Scene::plain("max_per_minute = 6000\nmin_severity = \"high\"");
    let harmless = token(&format!(
        r#"{{"iss":"{ISSUER}","aud":"api","cnf":{{"jkt":"x"}},"iat":{now},"exp":{exp}}}"#,
        now = jiff::Timestamp::now().as_second(),
        exp = jiff::Timestamp::now().as_second() + 600,
    ));
    let endless = token(&format!(r#"{{"iss":"{ISSUER}"}}"#));
    let agent = scene.home.agent(&[]);
    scene.log(&[&harmless, &endless]);
    scene.until_told(&[&endless]);
    scene.until_recorded(2);
    scene.stop(agent);
    assert_eq!(scene.receiver.requests().len(), 1);
}

#[test]
fn a_secret_that_others_can_read_stops_the_start() {
    let scene = Scene::plain("");
    std::fs::set_permissions(scene.home.path("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let mut agent = scene.home.agent(&[]);
    assert_eq!(agent.wait().code(), Some(78), "{}", agent.log());
    assert!(agent.log().contains("`secret_file`") && agent.log().contains("others have access"), "{}", agent.log());
}
