//! The one system call for which no safe wrapper exists.
#![allow(unsafe_code, reason = "getsockopt(TCP_INFO) has no safe wrapper that knows bytes acknowledged")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `struct tcp_info` (linux/tcp.h) only ever grows at its end. `tcpi_bytes_acked`, a u64, has stood here since Linux 4.1.
const BYTES_ACKED_OFFSET: usize = 120;
const INFO_LEN_MAX: usize = 256;

/// How many bytes of this TCP socket the peer's kernel has acknowledged since `connect` was called. The SYN counts as
/// one, so that callers take the difference to the value right after connecting.
pub(super) fn bytes_acked(socket: impl AsFd) -> io::Result<u64> {
    let mut info = [0u8; INFO_LEN_MAX];
    let mut len = INFO_LEN_MAX as libc::socklen_t;
    // SAFETY: the descriptor is open for the call's duration because it is borrowed; the kernel writes at most `len`
    // bytes to `info`, which is `len` bytes long, and the number that it wrote to `len`; every byte pattern is a valid
    // `u8`, and both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    match info[..len as usize].get(BYTES_ACKED_OFFSET..).and_then(|rest| rest.first_chunk()) {
        Some(acked) => Ok(u64::from_ne_bytes(*acked)),
        None => Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel does not count acknowledged bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    #[test]
    fn acknowledged_bytes_are_those_written() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let baseline = bytes_acked(&near).unwrap();
        near.write_all(&[7; 5000]).unwrap();
        far.read_exact(&mut [0; 5000]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while bytes_acked(&near).unwrap() - baseline != 5000 {
            assert!(Instant::now() < deadline, "not acknowledged");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
