//! The filter: a synchronous read, scan, write loop.
