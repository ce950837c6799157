//! The API: what can be asked of a running agent over HTTP. It only reads, and nothing waits for it.
//!
//! ```text
//! address ────────▶ Guard: Host, token ─▶ /api/v1/status …
//! health_address ──────────────────────▶ /livez, /readyz, /metrics
//! ```
//!
//! It has a thread and a runtime of its own: whoever calls too often takes at most one processor from the agent, and an
//! agent that works hard still answers probes.

mod answer;
mod exposures;
mod facts;
mod guard;
mod ledger;
mod metrics;
mod rates;
mod server;
mod status;
mod token;

pub(super) use facts::Facts;
pub(super) use server::CONNECTION_BYTES;
pub(super) use token::problem as token_problem;

use super::config;
use super::failure::Failure;
use guard::Guard;
use server::Limits;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use token::Token;
use tokio::sync::{oneshot, watch};

/// More than one would only be of use to who asks for the largest answers all the time.
const BLOCKING_THREADS: usize = 2;

/// What metrics may take while they are made.
pub(super) const METRICS_BYTES: usize = 4 << 20;

/// When the rows of an answer are so many bytes they are enough; the last one may be of some kilobytes.
const MADE_ROWS_BYTES: usize = 1 << 20;

/// What answers out of a ledger may take: those that are made or sent, each of them grown by doubling, and what the database
/// keeps in memory.
pub(super) const LEDGER_BYTES: usize = 4 * ledger::ANSWERS_MAX * MADE_ROWS_BYTES + (10 << 20);

/// What a row takes besides while rows are sorted by how severe they are.
pub(super) const SORTED_ROW_BYTES: usize = 48;

/// Its sockets are open, and nobody is answered yet.
pub(super) struct Api {
    config: config::Api,
    socket: TcpListener,
    health_socket: Option<TcpListener>,
    token: Option<Token>,
}

impl Api {
    /// Opens its sockets and reads its token.
    pub fn bind(config: &config::Api) -> Result<Self, Failure> {
        let bind = |address: SocketAddr| {
            let socket = TcpListener::bind(address).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
            socket.map_err(|error| Failure::api(address, error))
        };
        let token = config.token_file.as_deref().map(|path| {
            Token::read(path)
                .map_err(|error| Failure::api("token_file", io::Error::new(io::ErrorKind::InvalidData, error)))
        });
        Ok(Self {
            config: config.clone(),
            socket: bind(config.address)?,
            health_socket: config.health_address.map(bind).transpose()?,
            token: token.transpose()?,
        })
    }

    /// Where it listens, and where for health.
    pub fn local_addrs(&self) -> [Option<SocketAddr>; 2] {
        let health = self.health_socket.as_ref().and_then(|socket| socket.local_addr().ok());
        [self.socket.local_addr().ok(), health]
    }

    /// Answers from now on, until what is returned is dropped.
    pub fn serve(self, facts: Facts, reopen: watch::Receiver<u64>) -> Result<Serving, Failure> {
        let address = self.config.address;
        self.start(facts, reopen).map_err(|error| Failure::api(address, error))
    }

    fn start(self, facts: Facts, reopen: watch::Receiver<u64>) -> io::Result<Serving> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        let [address, health_address] = self.local_addrs();
        let has_token = self.token.is_some();
        let place = |address: Option<SocketAddr>| address.map(|address| address.to_string());
        let (address, health_address) = (place(address), place(health_address));
        tracing::info!(address, health_address, has_token, "API started");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("api".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = self.run(Arc::new(facts), reopen) => {}
                    // It ends by being dropped too.
                    _ = stopped => {}
                }
            });
            // An answer that is being made must not keep the agent from ending.
            runtime.shutdown_background();
        })?;
        Ok(Serving { stop: Some(stop), thread: Some(thread) })
    }

    async fn run(self, facts: Arc<Facts>, reopen: watch::Receiver<u64>) {
        let Self { config, socket, health_socket, token } = self;
        let token = token.map(|token| {
            let token = Arc::new(token);
            tokio::spawn(token.clone().keep_fresh(reopen));
            token
        });
        tokio::spawn(facts.clone().measure());
        let guard = Guard::new(&config, token);
        let limits = Limits { max_connections: config.max_connections, request_timeout: config.request_timeout };
        let all = server::run(socket, answer::all(facts.clone(), guard), limits);
        let health = async {
            match health_socket {
                Some(socket) => server::run(socket, answer::health(facts.clone()), limits).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(all, health);
    }
}

/// An API that answers. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Serving {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What went wrong in it has been told.
            let _ = thread.join();
        }
    }
}
