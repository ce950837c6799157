//! Stands in for the agent's API: the page with its header, and invented rows.

use beartrap::ledger::page;
use jiff::Timestamp;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Server {
    pub address: String,
    content: Arc<Mutex<Content>>,
}

pub struct Content {
    /// When a row was seen last, and its JSON; the latest first.
    pub rows: Vec<(String, String)>,
    pub status: Value,
    pub token: Option<&'static str>,
    /// What was asked for.
    pub asked: Vec<String>,
}

impl Server {
    pub fn start(rows: usize, now: Timestamp) -> Self {
        let content =
            Content { rows: texts(rows, now), status: super::rows::status(rows), token: None, asked: Vec::new() };
        let content = Arc::new(Mutex::new(content));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let served = Arc::clone(&content);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let content = Arc::clone(&served);
                std::thread::spawn(move || {
                    // A browser that goes in the midst of it is no fault of the test.
                    let _ = answer_all(&stream, &content);
                });
            }
        });
        Self { address, content }
    }

    pub fn change(&self, change: impl FnOnce(&mut Content)) {
        change(&mut self.content.lock().unwrap());
    }

    pub fn asked(&self) -> Vec<String> {
        self.content.lock().unwrap().asked.clone()
    }
}

/// Rows as text, by all processors: without optimization it takes its time.
fn texts(rows: usize, now: Timestamp) -> Vec<(String, String)> {
    let part = rows.div_ceil(4).max(1);
    std::thread::scope(|scope| {
        let make = |begin: usize| move || (begin..rows.min(begin + part)).map(|number| text(number, now)).collect();
        let parts: Vec<_> = (0..rows).step_by(part).map(|begin| scope.spawn(make(begin))).collect();
        parts.into_iter().flat_map(|part| -> Vec<(String, String)> { part.join().unwrap() }).collect()
    })
}

pub fn text(number: usize, now: Timestamp) -> (String, String) {
    let row = super::rows::row(number, now);
    (row["last_seen"].as_str().unwrap().to_owned(), row.to_string())
}

fn answer_all(stream: &TcpStream, content: &Mutex<Content>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut reader = BufReader::new(stream);
    loop {
        let (mut first, mut token) = (String::new(), None);
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => token = Some(value.to_owned()),
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let (status, kind, policy, body) = answer(&target, token, &mut content.lock().unwrap());
        write!(
            &mut &*stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{policy}X-Content-Type-Options: nosniff\r\n\r\n{body}",
            body.len()
        )?;
    }
}

fn answer(target: &str, token: Option<String>, content: &mut Content) -> (&'static str, &'static str, String, String) {
    const JSON: &str = "application/json";
    content.asked.push(target.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if path == "/" {
        let page = page::served();
        let policy = format!("Content-Security-Policy: {}\r\n", page.content_security_policy);
        return ("200 OK", "text/html; charset=utf-8", policy, page.html.clone());
    }
    if content.token.is_some_and(|wanted| token != Some(format!("Bearer {wanted}"))) {
        return ("401 Unauthorized", JSON, String::new(), "{}".to_owned());
    }
    match path {
        "/api/v1/status" => ("200 OK", JSON, String::new(), content.status.to_string()),
        "/api/v1/exposures" => {
            let begin: usize = value("cursor").map_or(0, |cursor| cursor.parse().unwrap());
            let limit: usize = value("limit").map_or(100, |limit| limit.parse().unwrap());
            let since = value("since").unwrap_or_default().replace("%3A", ":");
            let wanted = content.rows.iter().filter(|(seen, _)| *seen >= since).skip(begin);
            let rows: Vec<&str> = wanted.take(limit).map(|(_, text)| text.as_str()).collect();
            let next = if rows.len() == limit { format!("\"{}\"", begin + limit) } else { "null".to_owned() };
            ("200 OK", JSON, String::new(), format!("{{\"exposures\":[{}],\"next\":{next}}}", rows.join(",")))
        }
        _ => ("404 Not Found", JSON, String::new(), "{}".to_owned()),
    }
}
