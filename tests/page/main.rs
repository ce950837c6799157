//! The page in a real browser: what it shows, how it is used, and that nothing of a log runs in it.

mod browser;
mod program;
mod rows;
mod server;

use beartrap::ledger::page::ReportWriter;
use browser::{Browser, DOWN, ENTER, ESCAPE, PAGE_DOWN, RIGHT, TAB};
use jiff::Timestamp;
use rows::{HOSTILE, HOSTILE_ROW, TURNED, exposure, fingerprint, summary};
use serde_json::{Value, json};
use server::Server;
use std::path::Path;
use std::time::{Duration, Instant};

/// Lines of the browser's log that are a defect: errors, and what the page's policy had to stop.
fn complaints(browser: &Browser) -> Vec<String> {
    let lines = browser.log("browser");
    lines.iter().filter(|line| line["level"] != "INFO" && line["level"] != "DEBUG").map(Value::to_string).collect()
}

/// The addresses that the page has asked for.
fn requests(browser: &Browser) -> Vec<String> {
    let events = browser.log("performance");
    let messages = events.iter().map(|event| serde_json::from_str(event["message"].as_str().unwrap()).unwrap());
    let sent = messages.filter(|message: &Value| message["message"]["method"] == "Network.requestWillBeSent");
    sent.map(|message| message["message"]["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
}

fn assert_harmless(browser: &Browser, address: &str) {
    assert_eq!(complaints(browser), [""; 0], "errors and violations");
    assert_eq!(browser.eval("window.ran ?? null"), Value::Null, "a text of a log ran");
    assert_eq!(browser.eval("document.querySelectorAll('img, iframe, object, body script:not([type])').length"), 1);
    let requests = requests(browser);
    assert!(!requests.is_empty(), "no request was logged at all");
    for url in requests {
        assert!(url.starts_with(address), "{url} was asked for");
    }
}

fn card(browser: &Browser, name: &str) -> String {
    browser.text(&format!("[data-card={name}] .value"))
}

/// The fingerprints of the rows that the table shows, as far as it shows them.
fn shown(browser: &Browser) -> Vec<String> {
    let texts = browser.eval("[...document.querySelectorAll('#body button.open')].map((button) => button.title)");
    serde_json::from_value(texts).unwrap()
}

fn count(browser: &Browser) -> String {
    browser.text("#count")
}

fn report(path: &Path, rows: usize, now: Timestamp) -> u64 {
    let head = json!({"summary": summary(rows), "manifest": {"key_ids": ["48e18db9"]}});
    let out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut report = ReportWriter::new(out, now, &head).unwrap();
    (0..rows).for_each(|number| report.row(exposure(number, now)).unwrap());
    assert_eq!(report.finish().unwrap().rows, rows);
    std::fs::metadata(path).unwrap().len()
}

/// What a reader does with ten rows, wherever they came from.
fn assert_usable(browser: &Browser) {
    assert_eq!(
        (card(browser, "seen"), card(browser, "unexpired"), card(browser, "new")),
        ("10".into(), "3".into(), "5".into())
    );
    assert_eq!(shown(browser), (0..10).map(fingerprint).collect::<Vec<_>>(), "the one seen last is first");
    assert_eq!(browser.eval("document.querySelectorAll('#bars button').length"), 10);
    assert!(browser.text("#heat").contains("orders-api"));

    // Filters, together with the search, and back.
    browser.choose("#filter-status", "=expired");
    assert_eq!(shown(browser), [1, 6].map(fingerprint));
    browser.choose("#filter-status", "");
    browser.choose("#filter-policy", "=no_expiry");
    assert_eq!(shown(browser), [0].map(fingerprint));
    browser.click("#clear");
    browser.type_into("#search", "ISSUER-4.example");
    browser.wait("document.querySelectorAll('#body button.open').length === 1");
    assert_eq!(count(browser), "1 of 10 credentials");
    browser.click("#clear");
    assert_eq!(count(browser), "10 credentials");

    // What the other panels offer to filter by.
    browser.click("#heat tbody tr:nth-child(1) button");
    assert_eq!(browser.eval("document.activeElement.id"), "filter-source");
    let source = browser.text("#heat tbody tr:nth-child(1) th");
    assert_eq!(browser.eval("document.querySelector('#filter-source').value"), format!("={source}"));
    browser.click("#clear");
    browser.click("[data-policy=in_url]");
    assert_eq!(shown(browser), [1, 6].map(fingerprint));
    browser.click("#clear");

    // The timeline says in words what it draws.
    let bars = browser.eval("[...document.querySelectorAll('#bars button')].map((bar) => bar.ariaLabel)");
    assert!(
        bars[0].as_str().unwrap().ends_with("never expires") && bars[1].as_str().unwrap().contains(", expired 2"),
        "{bars}"
    );
    browser.click("#bars li:nth-child(2) button");
    assert_eq!(browser.text("#details-title"), fingerprint(1));
    browser.press([ESCAPE]);
    browser.wait("!document.querySelector('#details').open");

    // Orders.
    browser.click("[data-order=count] button");
    assert_eq!(browser.eval("document.querySelector('[data-order=count]').ariaSort"), "descending");
    assert_eq!(shown(browser)[0], fingerprint(9));
    browser.click("[data-order=count] button");
    assert_eq!(shown(browser)[0], fingerprint(0));
    browser.click("[data-order=last] button");

    // A row of which a part would run as markup.
    browser.click(&format!("#body tr:nth-child({}) button.open", HOSTILE_ROW + 1));
    let details = browser.text("#details");
    for part in [
        &fingerprint(HOSTILE_ROW),
        HOSTILE,
        TURNED[1],
        "unverified",
        "/var/log/batch/access.log",
        "not_sender_constrained",
        "RFC 9449",
    ] {
        assert!(details.contains(part), "{part}: {details}");
    }
    assert!(browser.text("#body").contains(HOSTILE));
    browser.press([ESCAPE]);
    browser.wait("!document.querySelector('#details').open");
}

#[test]
fn the_served_page() {
    let now = Timestamp::now();
    let server = Server::start(10, now);
    let browser = Browser::start();
    browser.size(1600, 1000);
    browser.open(&server.address);
    browser.wait_for_rows(10);
    assert_eq!(card(&browser, "rate"), "1.2 MB/s");
    assert_eq!(complaints(&browser), [""; 0], "what is drawn at first is in no need of the policy");
    assert_usable(&browser);
    assert_harmless(&browser, &server.address);

    for (width, height) in [(360, 780), (900, 1000), (1600, 1000)] {
        browser.size(width, height);
        browser.picture(&format!("few-{width}"));
    }

    // The address holds what was chosen.
    browser.choose("#filter-status", "=expired");
    let address = browser.eval("location.href");
    assert_eq!(address, format!("{}#status=expired", server.address));
    browser.open("about:blank");
    browser.open(address.as_str().unwrap());
    browser.wait_for_rows(10);
    assert_eq!(shown(&browser), [1, 6].map(fingerprint));
    browser.click("#clear");

    // A new row comes by itself, and does not move what the reader looks at.
    browser.run("document.querySelector('#body button.open').focus()");
    let mut newer = rows::row(10, now);
    newer["last_seen"] = json!(Timestamp::now());
    server.change(|content| {
        content.rows.insert(0, (newer["last_seen"].as_str().unwrap().to_owned(), newer.to_string()));
        content.status = rows::status(11);
    });
    browser.wait_for_rows(11);
    assert_eq!((card(&browser, "seen"), shown(&browser)[0].clone()), ("11".into(), fingerprint(0)));
    assert_eq!(browser.eval("document.activeElement.title"), fingerprint(0));
    browser.click("#fresh");
    assert_eq!((shown(&browser).len(), shown(&browser)[0].clone()), (11, fingerprint(10)));

    // It says so when the agent does not answer as it should, and asks for a token.
    server.change(|content| content.token = Some("open sesame"));
    browser.wait("!document.querySelector('#unlock').hidden");
    assert_eq!(shown(&browser).len(), 11, "what was there stays");
    browser.type_into("#token", "open sesam");
    browser.press([ENTER]);
    browser.wait("!document.querySelector('#notice').hidden");
    browser.type_into("#token", "open sesame");
    browser.press([ENTER]);
    browser.wait("document.querySelector('#unlock').hidden");
    assert!(server.asked().iter().all(|target| !target.contains("sesam")), "the token is in no address");
}

#[test]
fn the_report_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    report(&path, 10, Timestamp::now());
    let address = format!("file://{}", path.display());
    let browser = Browser::start();
    browser.size(1600, 1000);
    browser.open(&address);
    browser.wait_for_rows(10);
    assert_eq!(
        browser.eval("document.querySelector('[data-card=rate]')"),
        Value::Null,
        "there is no speed in a report"
    );
    assert!(browser.text("#account").contains("Manifest"));
    assert_eq!(complaints(&browser), [""; 0], "what is drawn at first is in no need of the policy");
    assert_usable(&browser);
    assert_harmless(&browser, &address);
}

#[test]
fn an_agent_and_the_report_of_its_ledger() {
    let token = "0123456789abcdef";
    let home = program::Home::new("[api]\naddress = \"127.0.0.1:0\"\ntoken_file = \"token\"");
    home.private("token", token);
    let mut agent = home.agent();
    let address = home.address();
    let browser = Browser::start();
    browser.open(&address);
    browser.wait("document.activeElement.id === 'token'");
    browser.press(token.chars().chain([ENTER]));
    browser.wait("document.documentElement.dataset.loaded === '0'");
    assert_eq!((card(&browser, "seen"), browser.text("#body")), ("0".into(), "No credential was seen.".into()));

    // What the log holds comes by itself.
    let (log, signatures) = program::log(HOSTILE);
    agent.write(&log);
    browser.wait_for_rows(2);
    let cards = ["seen", "unexpired", "new"].map(|name| card(&browser, name));
    assert_eq!(cards, ["2", "1", "2"]);
    assert!(browser.text("#origin").starts_with("test · version"));
    assert!(browser.text("[data-card=rate] .value").ends_with("B/s"));
    assert_eq!(browser.text("#heat tbody th"), "web");
    browser.choose("#filter-policy", "=no_expiry");
    browser.click("#body button.open");
    assert!(browser.text("#details").contains(HOSTILE));
    // The answer 401 that made it ask for the token is in the log, rightly.
    let complaints: Vec<String> = complaints(&browser).into_iter().filter(|line| !line.contains("401")).collect();
    assert_eq!(complaints, [""; 0]);
    agent.end();
    browser.wait("!document.querySelector('#notice').hidden");
    assert!(browser.text("#notice").starts_with("The agent does not answer"));
    drop(browser);

    let path = home.path("report.html");
    home.report(&path, &[]);
    let html = std::fs::read_to_string(&path).unwrap();
    for piece in signatures.iter().flat_map(|signature| signature.as_bytes().chunks(12)) {
        assert!(memchr::memmem::find(html.as_bytes(), piece).is_none(), "a piece of a signature is in the report");
    }

    let browser = Browser::start();
    let address = format!("file://{}", path.display());
    browser.open(&address);
    browser.wait_for_rows(2);
    assert_eq!((card(&browser, "seen"), card(&browser, "unexpired")), ("2".into(), "1".into()));
    assert_eq!(browser.text("#heat tbody th"), "web");
    browser.choose("#filter-policy", "=no_expiry");
    browser.click("#body button.open");
    let details = browser.text("#details");
    for part in [HOSTILE, "unverified", "in_url", "RFC 6750", "without end", "By carrier", "never"] {
        assert!(details.contains(part), "{part}: {details}");
    }
    assert_harmless(&browser, &address);

    // Of a part of the ledger it says so.
    home.report(&path, &["--status", "expired"]);
    browser.open(&address);
    browser.wait_for_rows(1);
    assert_eq!((card(&browser, "seen"), card(&browser, "unexpired")), ("1".into(), "0".into()));
    assert!(browser.text("#left-out").contains("has 1 of the 2 credentials"));
}

#[test]
fn by_keyboard_alone() {
    let server = Server::start(60, Timestamp::now());
    let browser = Browser::start();
    browser.size(1600, 1000);
    browser.open(&server.address);
    browser.wait_for_rows(60);
    let focused = || browser.eval("document.activeElement.title").as_str().unwrap_or_default().to_owned();

    // To the search, through it, and on by the tabulator to the rows: each stop is seen.
    browser.press(['/']);
    browser.press("nginx".chars());
    browser.wait("document.querySelector('#count').textContent === '15 of 60 credentials'");
    browser.run("document.querySelector('#clear').focus()");
    browser.press([ENTER]);
    let mut stops = 0;
    while !browser.eval("document.activeElement.matches('#body button.open')").as_bool().unwrap() {
        browser.press([TAB]);
        assert_ne!(browser.eval("getComputedStyle(document.activeElement).outlineStyle"), "none", "stop {stops}");
        stops += 1;
        assert!(stops < 40, "the rows are not reached");
    }
    assert_eq!(focused(), fingerprint(0));
    browser.press([DOWN, DOWN]);
    assert_eq!(focused(), fingerprint(2));
    browser.press([ENTER]);
    assert_eq!(browser.text("#details-title"), fingerprint(2));
    browser.press([RIGHT]);
    assert_eq!(browser.text("#details-title"), fingerprint(3));
    browser.press([ESCAPE]);
    // The reader is where the row was.
    browser.wait(&format!("document.activeElement.title === '{}'", fingerprint(3)));
    browser.press([PAGE_DOWN]);
    assert_eq!(focused(), fingerprint(25));
    browser.press([TAB]);
    assert_eq!(browser.eval("document.activeElement.id"), "page-size", "the rows are one stop");
    assert_eq!(complaints(&browser), [""; 0]);
}

/// Asks of every text that is seen whether its contrast is at least 4.5 (WCAG 2.2, 1.4.3), and names those that fail.
const CONTRAST: &str = include_str!("contrast.js");

#[test]
fn three_widths_light_and_dark() {
    let server = Server::start(40, Timestamp::now());
    let browser = Browser::start();
    browser.open(&server.address);
    browser.wait_for_rows(40);
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.color_scheme(scheme);
        grounds.push(browser.eval("getComputedStyle(document.documentElement).backgroundColor"));
        for (width, height) in [(360, 780), (900, 1000), (1600, 1000)] {
            browser.size(width, height);
            browser.wait(&format!("innerWidth === {width}"));
            let place = format!("{width} {scheme}");
            let assert_fits = |what: &str| {
                let wide = browser
                    .eval("[document.documentElement.scrollWidth, document.querySelector('#details').scrollWidth]");
                assert!(
                    wide[0].as_u64() <= Some(width.into()) && wide[1].as_u64() <= Some(width.into()),
                    "{place} {what}: {wide}"
                );
                assert_eq!(browser.eval(CONTRAST), json!([]), "{place} {what}");
            };
            browser.run("scrollTo(0, 0)");
            assert_fits("page");
            browser.picture(&format!("page-{width}-{scheme}"));
            browser.run("document.querySelector('.filters').scrollIntoView()");
            browser.picture(&format!("table-{width}-{scheme}"));
            browser.click("#body tr:nth-child(1) button.open");
            assert_fits("details");
            browser.picture(&format!("details-{width}-{scheme}"));
            browser.click("#close");
        }
    }
    assert_eq!(grounds, [json!("rgb(244, 246, 249)"), json!("rgb(17, 21, 27)")]);
    // The reader's own choice goes before that of the system: auto, light, dark.
    browser.click("#theme");
    assert_eq!(browser.eval("getComputedStyle(document.documentElement).backgroundColor"), grounds[0]);
    browser.click("#theme");
    browser.color_scheme("light");
    assert_eq!(browser.eval("getComputedStyle(document.documentElement).backgroundColor"), grounds[1]);
    assert_eq!(complaints(&browser), [""; 0]);
}

#[test]
fn a_hundred_thousand_rows() {
    const ROWS: usize = 100_000;
    let server = Server::start(ROWS, Timestamp::now());
    let browser = Browser::start();
    browser.size(1600, 1000);
    let began = Instant::now();
    browser.open(&server.address);
    browser.wait("document.querySelector('#body button.open')");
    let first = began.elapsed();
    browser.wait_for_rows(ROWS);
    let all = began.elapsed();
    assert_eq!(count(&browser), "100,000 credentials");
    assert_eq!(browser.eval("document.querySelectorAll('#body tr, #bars li').length"), 50, "only a page is drawn");
    let began = Instant::now();
    browser.type_into("#search", &fingerprint(77_777)[..12]);
    browser.wait("document.querySelectorAll('#body button.open').length === 1");
    let search = began.elapsed();
    browser.click("#clear");
    let began = Instant::now();
    browser.choose("#filter-status", "=expired");
    let filter = began.elapsed();
    assert_eq!(count(&browser), "20,000 of 100,000 credentials");
    browser.picture("many-1600");
    println!("first rows {first:?}, all {all:?}, search {search:?}, filter {filter:?}");
    assert!(first < Duration::from_secs(10) && search < Duration::from_secs(10) && filter < Duration::from_secs(5));
    assert_eq!(complaints(&browser), [""; 0]);
}
