//! The open connections of a source, and which of them has been silent for the longest time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::Id;
use tokio::time::Instant;

/// Connections that are busy say nothing when they become idle: they are looked at again so often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// No connection is silent while its bytes wait for a sink.
const BUSY: u64 = u64::MAX;

/// What a connection tells of itself, and what it is asked for.
pub(super) struct Activity {
    began: Instant,
    /// Milliseconds from `began`.
    silent_since: AtomicU64,
    leave: Notify,
}

impl Activity {
    pub fn new() -> Self {
        Self { began: Instant::now(), silent_since: AtomicU64::new(0), leave: Notify::new() }
    }

    /// Something has come and is worked on.
    pub fn busy(&self) {
        self.silent_since.store(BUSY, Relaxed);
    }

    /// All that has come is done.
    pub fn silent(&self, now: Instant) {
        self.silent_since.store((now - self.began).as_millis() as u64, Relaxed);
    }

    /// Since when nothing has come.
    pub fn silent_since(&self) -> Option<Instant> {
        let millis = Some(self.silent_since.load(Relaxed)).filter(|&millis| millis != BUSY)?;
        Some(self.began + Duration::from_millis(millis))
    }

    /// Waits until the connection is asked to leave because another one waits.
    pub async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

struct Open {
    ip: Option<IpAddr>,
    activity: Arc<Activity>,
}

pub(super) struct Table {
    idle_timeout: Duration,
    open: HashMap<Id, Open>,
    per_peer: HashMap<IpAddr, usize>,
    /// Who was asked to leave last, and when.
    asked: Option<(Id, Instant)>,
}

impl Table {
    pub fn new(idle_timeout: Duration) -> Self {
        Self { idle_timeout, open: HashMap::new(), per_peer: HashMap::new(), asked: None }
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// How many connections an address has.
    pub fn of_peer(&self, ip: IpAddr) -> usize {
        self.per_peer.get(&ip).copied().unwrap_or(0)
    }

    pub fn add(&mut self, id: Id, ip: Option<IpAddr>, activity: Arc<Activity>) {
        if let Some(ip) = ip {
            *self.per_peer.entry(ip).or_default() += 1;
        }
        self.open.insert(id, Open { ip, activity });
    }

    pub fn remove(&mut self, id: Id) {
        self.asked = self.asked.filter(|(asked, _)| *asked != id);
        let Some(ip) = self.open.remove(&id).and_then(|open| open.ip) else { return };
        if let Some(count) = self.per_peer.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.per_peer.remove(&ip);
            }
        }
    }

    /// When it is time to look for a connection that may be closed.
    pub fn closing_at(&self, now: Instant) -> Instant {
        let idle_at = self.longest_silent().map_or(now + LOOK_INTERVAL, |(_, since)| since + self.idle_timeout);
        let asked_at = self.asked.map_or(now, |(_, at)| at + LOOK_INTERVAL);
        idle_at.max(asked_at)
    }

    /// Asks the connection that has been silent for the longest time to leave, if that is long enough.
    pub fn close_longest_idle(&mut self, now: Instant) {
        let Some((id, since)) = self.longest_silent() else { return };
        if now - since >= self.idle_timeout {
            self.asked = Some((id, now));
            if let Some(open) = self.open.get(&id) {
                open.activity.leave.notify_one();
            }
        }
    }

    fn longest_silent(&self) -> Option<(Id, Instant)> {
        let silent = self.open.iter().filter_map(|(id, open)| Some((*id, open.activity.silent_since()?)));
        silent.min_by_key(|(_, since)| *since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids come with tasks only.
    async fn id() -> Id {
        let task = tokio::spawn(std::future::pending::<()>());
        let id = task.id();
        task.abort();
        id
    }

    async fn is_asked(activity: &Activity) {
        let asked = tokio::time::timeout(LOOK_INTERVAL, activity.asked_to_leave()).await;
        asked.expect("it is asked to leave");
    }

    #[tokio::test]
    async fn the_one_that_was_silent_for_the_longest_time_is_asked_to_leave() {
        let mut table = Table::new(Duration::from_secs(10));
        let ip = "192.0.2.1".parse().expect("an address");
        let [old, busy, young] = [Activity::new(), Activity::new(), Activity::new()].map(Arc::new);
        let ids = [id().await, id().await, id().await];
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        old.silent(at(0));
        busy.busy();
        young.silent(at(5000));
        table.add(ids[0], Some(ip), old.clone());
        table.add(ids[1], Some(ip), busy.clone());
        table.add(ids[2], None, young.clone());
        assert_eq!((table.len(), table.of_peer(ip)), (3, 2));

        table.close_longest_idle(at(9000));
        assert!(table.asked.is_none(), "nobody was silent for long enough");
        let closing_at = table.closing_at(at(9000));
        assert!(closing_at <= at(10_000) && closing_at > at(9900));
        table.close_longest_idle(at(10_000));
        is_asked(&old).await;
        assert!(table.closing_at(at(10_000)) >= at(11_000), "the next one would be asked before this one could leave");

        table.remove(ids[0]);
        assert_eq!((table.len(), table.of_peer(ip)), (2, 1));
        table.close_longest_idle(at(15_000));
        is_asked(&young).await;
        table.remove(ids[1]);
        assert!(table.per_peer.is_empty());
    }
}
