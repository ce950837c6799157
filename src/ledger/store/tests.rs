//! The database, with files of its own.
