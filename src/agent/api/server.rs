//! Connections: few at once, one request each, and a limit on how long and how large that may be.

use super::super::seldom::Seldom;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeMap;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// A request line with its headers is no longer.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// What one connection takes at most: its head as it was read and as it is parsed, an answer that is being written, and the
/// connection itself.
pub(in super::super) const CONNECTION_BYTES: usize = 64 << 10;

/// After a failure to accept, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub max_connections: usize,
    /// From the connection to the last byte of the answer.
    pub request_timeout: Duration,
}

/// Answers whoever connects.
pub(super) async fn run(socket: StdListener, router: Router, limits: Limits) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the API can't listen"),
    };
    let failures = Seldom::new(REPORT_INTERVAL);
    let mut connections = Connections::new(limits);
    loop {
        tokio::select! {
            biased;
            Some(ended) = connections.tasks.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                connections.open.retain(|_, open| open.task.id() != id);
            }
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => connections.begin(socket, router.clone()),
                Err(error) => {
                    if let Some(times) = failures.count() {
                        tracing::warn!(times, %error, "the API can't accept connections");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// The connections that are open, in the order in which they came.
struct Connections {
    limits: Limits,
    tasks: JoinSet<()>,
    open: BTreeMap<u64, Open>,
    next: u64,
}

struct Open {
    task: AbortHandle,
    /// Its request is known, and is being answered.
    is_served: Arc<AtomicBool>,
}

impl Connections {
    fn new(limits: Limits) -> Self {
        Self { limits, tasks: JoinSet::new(), open: BTreeMap::new(), next: 0 }
    }

    /// Takes a connection. When there are too many, the oldest goes that has not sent its request; whoever means it has
    /// sent it long before so many others have come.
    fn begin(&mut self, socket: TcpStream, router: Router) {
        if self.open.len() >= self.limits.max_connections {
            let silent = self.open.iter().find(|(_, open)| !open.is_served.load(Relaxed));
            let Some(silent) = silent.map(|(number, _)| *number) else { return };
            if let Some(open) = self.open.remove(&silent) {
                open.task.abort();
            }
        }
        let is_served = Arc::new(AtomicBool::new(false));
        let task = self.tasks.spawn(serve(socket, router, is_served.clone(), self.limits.request_timeout));
        self.open.insert(self.next, Open { task, is_served });
        self.next += 1;
    }
}

/// Answers one request. What goes wrong is the caller's matter.
async fn serve(socket: TcpStream, router: Router, is_served: Arc<AtomicBool>, time_max: Duration) {
    // Answers are small, and written at once.
    let _ = socket.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        is_served.store(true, Relaxed);
        router.call(request.map(Body::new))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        // Without it a connection has one request and one deadline.
        .keep_alive(false)
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(socket), service);
    let _ = tokio::time::timeout(time_max, connection).await;
}
