//! A listening Unix socket as a source.

use super::config::{Origins, UnixSource};
use super::connections::{self, Admission, Listen, Peer, Plain, Shared};
use super::failure::Failure;
use super::source::SourceReport;
use rustix::fs::{FileType, Mode, Stat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// The kernel shortens it to `net.core.somaxconn`.
const LISTEN_QUEUE: i32 = 4096;

/// A socket that listens, and its file.
pub(super) struct Listening {
    /// Removed before the socket is closed: nobody finds a socket that nobody listens on.
    _file: SocketFile,
    socket: UnixListener,
}

/// Makes the socket at its path. A socket file that a dead process has left there makes room, anything else does not.
pub(super) fn listen(unix: &UnixSource) -> io::Result<Listening> {
    let path = &unix.path;
    make_room(path)?;
    let mode = Mode::from_raw_mode(unix.socket_file_mode);
    let socket = stream_socket()?;
    // The file gets no more than this mode, less the umask, from its first moment on.
    rustix::fs::fchmod(&socket, mode)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let file = SocketFile::at(path)?;
    if Mode::from_raw_mode(file.stat.st_mode) != mode {
        rustix::fs::chmod(path, mode)?;
    }
    // Not before this can anybody connect.
    rustix::net::listen(&socket, LISTEN_QUEUE)?;
    Ok(Listening { _file: file, socket: UnixListener::from_std(StdListener::from(socket))? })
}

fn stream_socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

fn make_room(path: &Path) -> io::Result<()> {
    let in_the_way = match rustix::fs::lstat(path) {
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(stat) => stat,
    };
    if !is_socket(&in_the_way) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something else than a socket at this path"));
    }
    // Only a socket that nobody has open any more refuses.
    match rustix::net::connect(stream_socket()?, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED) => Ok(rustix::fs::unlink(path)?),
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => {
            Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_socket(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Socket
}

/// The file of a socket; removed at the end if it still is that one. (While the socket is open no other file can have its
/// inode.)
struct SocketFile {
    path: PathBuf,
    stat: Stat,
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), stat: rustix::fs::lstat(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |stat: Stat| (stat.st_dev, stat.st_ino) == (self.stat.st_dev, self.stat.st_ino);
        if rustix::fs::lstat(&self.path).is_ok_and(|stat| is_socket(&stat) && is_ours(stat))
            && let Err(error) = rustix::fs::unlink(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket's file can't be removed");
        }
    }
}

pub(super) async fn run(shared: Shared, unix: UnixSource, listening: Listening) -> Result<SourceReport, Failure> {
    // Who may connect is said by the file's mode.
    let admission = Admission { origins: Origins::all(), max_per_peer: usize::MAX, limits: unix.limits };
    connections::run(shared, listening, Plain, admission).await
}

impl Listen for Listening {
    type Socket = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
        let (socket, _) = self.socket.accept().await?;
        let peer = Peer::Process(socket.peer_cred().ok().and_then(|credentials| credentials.pid()));
        Ok((socket, peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::time::Duration;

    fn source(path: &Path, socket_file_mode: u32) -> UnixSource {
        let limits = super::super::config::ConnectionLimits {
            max_connections: 10,
            idle_timeout: Duration::from_secs(100),
            record_timeout: Duration::from_secs(100),
        };
        UnixSource { path: path.to_owned(), socket_file_mode, limits }
    }

    #[tokio::test]
    async fn the_file_has_its_mode_and_goes_with_the_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.sock");
        for mode in [0o600, 0o660, 0o666, 0o777, 0o200] {
            let listening = listen(&source(&path, mode)).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, mode);
            UnixStream::connect(&path).unwrap();
            drop(listening);
            assert!(!path.exists());
        }
    }

    #[tokio::test]
    async fn what_a_dead_process_left_is_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.sock");
        drop(StdListener::bind(&path).unwrap());
        assert!(path.exists(), "a socket does not remove its file by itself");
        let listening = listen(&source(&path, 0o600)).unwrap();

        let refused = |path: &Path| listen(&source(path, 0o600)).err().expect("it is refused").kind();
        assert_eq!(refused(&path), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        let other = dir.path().join("datagrams.sock");
        let _datagrams = UnixDatagram::bind(&other).unwrap();
        assert_eq!(refused(&other), io::ErrorKind::AddrInUse);

        let file = dir.path().join("file");
        fs::write(&file, "data").unwrap();
        assert_eq!((refused(&file), fs::read(&file).unwrap()), (io::ErrorKind::AlreadyExists, b"data".to_vec()));
        assert_eq!(refused(dir.path()), io::ErrorKind::AlreadyExists);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
        assert_eq!(refused(&link), io::ErrorKind::AlreadyExists);
        assert_eq!(refused(&dir.path().join("missing/log.sock")), io::ErrorKind::NotFound);

        // Another process has made its own in the meantime.
        fs::remove_file(&path).unwrap();
        let _another = StdListener::bind(&path).unwrap();
        drop(listening);
        assert!(path.exists(), "the other's file was removed");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}
