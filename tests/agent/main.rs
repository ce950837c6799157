//! The agent over real sockets and files, through the public interface.

mod certificates;
mod harness;

mod file_sink;
mod stop;
mod tcp_sink;
mod tcp_source;
mod tls_sink;
mod tls_source;
