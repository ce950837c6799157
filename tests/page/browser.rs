//! Chromium, driven over WebDriver (W3C) by its own driver. The few calls that are needed are plain HTTP with JSON.

use base64::Engine;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take; machines that test are busy.
const PATIENCE: Duration = Duration::from_secs(60);

const MISSING: &str =
    "this test drives a real browser: install it with `apt-get install chromium chromium-driver` (Debian)";

pub const TAB: char = '\u{e004}';
pub const ENTER: char = '\u{e007}';
pub const ESCAPE: char = '\u{e00c}';
pub const PAGE_DOWN: char = '\u{e00f}';
pub const RIGHT: char = '\u{e014}';
pub const DOWN: char = '\u{e015}';

pub struct Browser {
    driver: Child,
    http: ureq::Agent,
    /// The session's address.
    session: String,
    /// Its profile and caches.
    _folder: tempfile::TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver can't be started ({error}): {MISSING}"));
        let port = port_of(&mut driver);
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE * 2))
            .build()
            .new_agent();
        let base = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, http, session: base, _folder: folder };
        let created = browser.call(
            "",
            &json!({"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": {"args": arguments()},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                "timeouts": {"script": 60_000, "pageLoad": 60_000},
            }}}),
        );
        let id =
            created["sessionId"].as_str().unwrap_or_else(|| panic!("no browser ({created}): {MISSING}")).to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    fn call(&self, path: &str, body: &Value) -> Value {
        let address = format!("{}{path}", self.session);
        let answer = self.http.post(&address).content_type("application/json").send(body.to_string().as_bytes());
        let text = answer
            .unwrap_or_else(|error| panic!("{path}: {error}"))
            .into_body()
            .into_with_config()
            .limit(64 << 20)
            .read_to_string();
        let mut answer: Value = serde_json::from_str(&text.unwrap()).unwrap();
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{path}: {} {}", value["error"], value["message"]);
        value
    }

    pub fn open(&self, address: &str) {
        self.call("/url", &json!({"url": address}));
    }

    /// The value of an expression in the page.
    pub fn eval(&self, expression: &str) -> Value {
        self.call("/execute/sync", &json!({"script": format!("return ({expression});"), "args": []}))
    }

    /// The text of the first element that a selector finds.
    pub fn text(&self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector({selector:?})?.textContent"));
        text.as_str().unwrap_or_else(|| panic!("{selector} is not there")).to_owned()
    }

    /// Runs statements in the page.
    pub fn run(&self, statements: &str) {
        self.call("/execute/sync", &json!({"script": statements, "args": []}));
    }

    /// Until an expression is true.
    pub fn wait(&self, expression: &str) {
        let began = Instant::now();
        while self.eval(&format!("!!({expression})")) != true {
            assert!(began.elapsed() < PATIENCE, "never came: {expression}\n{}", self.text("body"));
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Until the page has this many rows.
    pub fn wait_for_rows(&self, rows: usize) {
        self.wait(&format!("document.documentElement.dataset.loaded === '{rows}'"));
    }

    /// Presses keys one after another, as a keyboard does.
    pub fn press(&self, keys: impl IntoIterator<Item = char>) {
        let strokes: Vec<Value> = keys
            .into_iter()
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
            .collect();
        self.call("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]}));
    }

    /// Chooses an option as a user does.
    pub fn choose(&self, select: &str, value: &str) {
        self.run(&format!(
            "const list = document.querySelector({select:?}); list.value = {value:?}; \
             if (list.value !== {value:?}) throw new Error('no such choice'); \
             list.dispatchEvent(new Event('change', {{bubbles: true}}));"
        ));
    }

    pub fn type_into(&self, input: &str, text: &str) {
        self.run(&format!("document.querySelector({input:?}).focus()"));
        self.press(text.chars());
    }

    pub fn click(&self, selector: &str) {
        self.run(&format!("document.querySelector({selector:?}).click()"));
    }

    /// A command of the browser's own protocol.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.call("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// The width and height of the page in pixels; a window could not be as narrow as a telephone.
    pub fn size(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    pub fn color_scheme(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// What was logged since it was last asked for: `browser` has errors and violations, `performance` all requests.
    pub fn log(&self, kind: &str) -> Vec<Value> {
        self.call("/se/log", &json!({"type": kind})).as_array().unwrap().clone()
    }

    /// Writes a picture into the folder that `BEARTRAP_SCREENSHOTS` names, if it is set: to be looked at.
    pub fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("BEARTRAP_SCREENSHOTS") else { return };
        let answer = self.devtools("Page.captureScreenshot", &json!({"format": "png"}));
        let picture = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser; without an answer both are ended with it.
        let _ = self.http.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The driver names the port that it took.
fn port_of(driver: &mut Child) -> u16 {
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if let Some(port) = line.strip_prefix("ChromeDriver was started successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("chromedriver did not start: {MISSING}");
}

fn arguments() -> Vec<&'static str> {
    let mut arguments = vec![
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--hide-scrollbars",
        // Nothing but the test's own server can be reached.
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--disable-background-networking",
        "--disable-component-update",
    ];
    // Chromium's sandbox refuses to work for root, and containers forbid what it needs.
    if rustix::process::getuid().is_root() || std::env::var_os("CI").is_some() {
        arguments.push("--no-sandbox");
    }
    arguments
}
