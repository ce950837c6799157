//! The agent over real sockets and files, through the public interface.

mod certificates;
mod harness;
mod program;

mod connections;
mod file_sink;
mod flood;
mod record_timeout;
mod stop;
mod tcp_sink;
mod tcp_source;
mod tls_sink;
mod tls_source;
