//! Which connections are taken.

use super::super::config::{ConnectionLimits, Origins};
use super::Peer;
use super::events::Events;
use super::table::Table;

/// Who may connect, and how often.
pub(in crate::agent) struct Admission {
    pub origins: Origins,
    pub max_per_peer: usize,
    pub limits: ConnectionLimits,
}

impl Admission {
    /// Whether a connection is taken; if not, it is counted, and closed when it is dropped.
    pub(super) fn admits(&self, peer: Peer, table: &Table, events: &Events) -> bool {
        let Some(ip) = peer.ip() else { return true };
        if !self.origins.permit(ip) {
            events.refused_origin(peer);
            return false;
        }
        if table.of_peer(ip) >= self.max_per_peer {
            events.refused_per_peer(peer);
            return false;
        }
        true
    }
}
