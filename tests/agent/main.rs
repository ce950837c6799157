//! The agent over real sockets and files, through the public interface.

mod certificates;
mod harness;
mod http;
mod process;
mod program;
mod prometheus;
mod receiver;

mod alert;
mod api;
mod api_exposures;
mod api_pressure;
mod connections;
mod emit;
mod faults;
mod file_sink;
mod flood;
mod health;
mod ledger;
mod record_timeout;
mod stop;
mod tcp_faults;
mod tcp_sink;
mod tcp_source;
mod tls_sink;
mod tls_source;
mod udp_source;
mod unix_source;
