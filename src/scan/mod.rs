//! Finding credentials in files without rewriting them.

mod display;
mod explain;
mod lines;
mod report;
mod sarif;
mod source;
mod stream;
mod verify;
mod walk;

pub use display::{Name, Names, printable, uri};
pub use explain::explain;
pub use lines::Place;
pub use report::{Format, Report};
pub use sarif::SARIF_SCHEMA;
pub use source::{Opened, open_stdin};
pub use stream::{Item, Scanner, StreamError, What};
pub use verify::{MarkerCounts, Suspect};
pub use walk::{Walk, Walked};
