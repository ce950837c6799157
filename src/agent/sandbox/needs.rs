//! Which files and ports a configuration needs once everything runs.

use super::super::config::{Config, FileSource, SinkKind, SourceKind};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

/// What the resolver of the C library reads. The first two may be replaced while we run, by a new file of their name.
const RESOLVER_FILES: [&str; 6] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/ld.so.cache"];
const REPLACED_FILES: usize = 2;
/// It may load modules by which names are looked up.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];
const DNS_PORT: u16 = 53;
/// Where the system keeps its authorities.
const AUTHORITIES: [&str; 5] =
    ["/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"];
/// A path with more links is refused by the system too.
const LINKS_MAX: usize = 40;

/// Files and ports. Paths may be those of files or of directories, with all that is below them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Files that are read again while we run.
    pub reloaded: BTreeSet<PathBuf>,
    /// What may be read.
    pub read: BTreeSet<PathBuf>,
    /// Where files may be made, read and appended to.
    pub append: BTreeSet<PathBuf>,
    /// Output files, by the names that they are opened by.
    pub outputs: BTreeSet<PathBuf>,
    /// Where files may be replaced and removed too.
    pub state: BTreeSet<PathBuf>,
    /// Where sockets may be made and removed.
    pub sockets: BTreeSet<PathBuf>,
    pub bind: BTreeSet<u16>,
    /// The same for UDP, which only privileges restrict.
    pub bind_udp: BTreeSet<u16>,
    pub connect: BTreeSet<u16>,
    /// Files of others are followed.
    pub follows: bool,
}

impl Needs {
    pub fn of(config: &Config, key_file: &Path) -> Self {
        let mut needs = Self::default();
        needs.reloaded.extend(config.reloaded_files());
        needs.reloaded.insert(std::path::absolute(key_file).unwrap_or_else(|_| key_file.to_owned()));
        needs.read.extend(needs.reloaded.iter().flat_map(|path| around(path)));
        for source in &config.sources {
            match &source.kind {
                SourceKind::Stdin => {}
                SourceKind::File(file) => {
                    needs.state.extend(config.data_dir.clone());
                    needs.follow(file);
                }
                SourceKind::Tcp(tcp) => drop(needs.bind.insert(tcp.address.port())),
                SourceKind::Udp(udp) => drop(needs.bind_udp.insert(udp.address.port())),
                SourceKind::Unix(unix) => needs.sockets.extend(unix.path.parent().map(Path::to_owned)),
            }
        }
        if let Some(ledger) = &config.ledger {
            needs.state.extend(config.data_dir.clone());
            needs.state.extend(ledger.path.parent().map(Path::to_owned));
            if let Some(alert) = &ledger.alert {
                needs.connect(alert.url.place());
                if alert.url.is_tls() && alert.ca_file.is_none() {
                    needs.trust_the_system();
                }
            }
        }
        if let Some(api) = &config.api {
            needs.bind.insert(api.address.port());
            needs.bind.extend(api.health_address.map(|address| address.port()));
        }
        for sink in &config.sinks {
            match &sink.kind {
                SinkKind::Stdout => {}
                SinkKind::File(file) => {
                    needs.append.extend(output(&file.path));
                    needs.outputs.insert(file.path.clone());
                }
                SinkKind::Tcp(tcp) => {
                    needs.connect(&tcp.address);
                    if tcp.tls.as_ref().is_some_and(|tls| tls.ca_file.is_none()) {
                        needs.trust_the_system();
                    }
                }
            }
        }
        needs
    }

    fn follow(&mut self, file: &FileSource) {
        self.follows = true;
        if file.follow_symlinks {
            // New ones may lead anywhere.
            self.read.insert(PathBuf::from("/"));
        }
        for pattern in &file.include {
            let base = base(pattern.as_str());
            self.read.extend(base.ancestors().find(|ancestor| ancestor.exists()).map(Path::to_owned));
        }
    }

    fn connect(&mut self, address: &str) {
        let Some((host, port)) = address.rsplit_once(':') else { return };
        self.connect.extend(port.parse::<u16>());
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.parse::<IpAddr>().is_ok() {
            return;
        }
        self.connect.insert(DNS_PORT);
        self.read.extend(LIBRARIES.map(PathBuf::from));
        for (index, path) in RESOLVER_FILES.map(PathBuf::from).into_iter().enumerate() {
            if index < REPLACED_FILES && !is_mounted(&path) {
                self.read.extend(around(&path));
            }
            self.read.insert(path);
        }
    }

    fn trust_the_system(&mut self) {
        self.read.extend(AUTHORITIES.map(PathBuf::from));
        self.read.extend(std::env::var_os("SSL_CERT_FILE").map(PathBuf::from));
        // A list, as PATH is.
        let directories = std::env::var_os("SSL_CERT_DIR").unwrap_or_default();
        self.read.extend(std::env::split_paths(&directories).filter(|path| !path.as_os_str().is_empty()));
    }
}

/// The directories in which a file is replaced: its own, and those that links on the way lead to. In Kubernetes' volumes
/// `key` links to `..data/key`, and `..data` to a directory beside it that is another one after each change.
fn around(path: &Path) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        directories.extend(path.parent().map(Path::to_owned));
        for ancestor in path.ancestors().skip(1) {
            let beside = |target: PathBuf| target.components().all(|part| matches!(part, Component::Normal(_)));
            if ancestor.read_link().is_ok_and(beside) {
                directories.extend(ancestor.parent().filter(|parent| parent.parent().is_some()).map(Path::to_owned));
            }
        }
        match next_link(&path) {
            Some(target) => path = target,
            None => break,
        }
    }
    directories
}

/// Where an output file is made again: the directory of the file that its links lead to now, or a device itself.
fn output(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match next_link(&path) {
            Some(target) => path = target,
            None => break,
        }
    }
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        Some(path)
    } else {
        path.parent().map(Path::to_owned)
    }
}

fn next_link(path: &Path) -> Option<PathBuf> {
    let target = path.read_link().ok()?;
    Some(path.parent()?.join(target))
}

/// Containers have their own mounted: such a file is never replaced by another of its name.
fn is_mounted(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    path.parent().is_some_and(|parent| device(parent) != device(path))
}

/// The directory that a glob names without wildcards.
fn base(pattern: &str) -> PathBuf {
    let directories = pattern.rsplit_once('/').map_or("", |(directories, _)| directories);
    let is_wild = |part: &&str| part.contains(['*', '?', '[']);
    let fixed: Vec<&str> = directories.split('/').take_while(|part| !is_wild(part)).collect();
    PathBuf::from(format!("{}/", fixed.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_glob_is_read_below_what_has_no_wildcards() {
        for (pattern, expected) in [
            ("/var/log/app/*.log", "/var/log/app"),
            ("/var/log/app.log", "/var/log"),
            ("/var/log/pods/*/*/*.log", "/var/log/pods"),
            ("/var/**/x.log", "/var"),
            ("/*.log", "/"),
        ] {
            assert_eq!(base(pattern), Path::new(expected), "{pattern}");
        }
    }

    #[test]
    fn a_secret_of_kubernetes_is_found_wherever_it_moves() {
        let root = tempfile::tempdir().unwrap();
        let volume = root.path().join("volume");
        std::fs::create_dir_all(volume.join("..2026_1")).unwrap();
        std::fs::write(volume.join("..2026_1/key"), "").unwrap();
        symlink("..2026_1", volume.join("..data")).unwrap();
        symlink("..data/key", volume.join("key")).unwrap();
        assert!(around(&volume.join("key")).contains(&volume));
        assert!(around(&volume.join("..data/key")).contains(&volume));
        // A link to elsewhere leads there, and opens nothing on the way.
        symlink(volume.join("key"), root.path().join("link")).unwrap();
        let directories = around(&root.path().join("link"));
        assert!(directories.contains(&volume) && directories.contains(&root.path().to_owned()));
        assert!(!directories.iter().any(|directory| directory == Path::new("/")), "{directories:?}");
    }

    #[test]
    fn outputs_are_made_where_their_links_lead() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        std::fs::create_dir(path("real")).unwrap();
        symlink("real/clean.log", path("clean.log")).unwrap();
        assert_eq!(output(&path("clean.log")), Some(path("real")));
        assert_eq!(output(&path("other.log")), Some(root.path().to_owned()));
        assert_eq!(output(Path::new("/dev/null")), Some("/dev/null".into()));
    }

    #[test]
    fn ports_and_the_resolver_are_asked_for_by_tcp_only() {
        let mut needs = Needs::default();
        needs.connect("192.0.2.1:6514");
        needs.connect("[2001:db8::1]:6515");
        assert_eq!((needs.connect.len(), needs.read.len()), (2, 0));
        needs.connect("collector.example:6516");
        assert_eq!(needs.connect, [53, 6514, 6515, 6516].into());
        assert!(needs.read.contains(Path::new("/etc/nsswitch.conf")));
    }
}
