//! The system call for which no safe wrapper exists: `getsockopt` with options that few programs use.
#![allow(unsafe_code, reason = "TCP_INFO and SO_MEMINFO have no safe wrapper that knows what is needed of them")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `struct tcp_info` (linux/tcp.h) only ever grows at its end. `tcpi_bytes_acked`, a u64, has stood here since Linux 4.1.
const BYTES_ACKED_OFFSET: usize = 120;
/// `SK_MEMINFO_DROPS` (linux/sock_diag.h), since Linux 4.12: the ninth of the numbers, each a u32.
const DROPS_OFFSET: usize = 8 * 4;
const OPTION_LEN_MAX: usize = 256;

/// How many bytes of this TCP socket the peer's kernel has acknowledged since `connect` was called. The SYN counts as
/// one, so that callers take the difference to the value right after connecting.
pub(super) fn bytes_acked(socket: impl AsFd) -> io::Result<u64> {
    let (info, len) = option(socket, libc::IPPROTO_TCP, libc::TCP_INFO)?;
    match info[..len].get(BYTES_ACKED_OFFSET..).and_then(|rest| rest.first_chunk()) {
        Some(acked) => Ok(u64::from_ne_bytes(*acked)),
        None => Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel does not count acknowledged bytes")),
    }
}

/// How many datagrams the kernel has dropped because this socket's buffer was full. The number wraps around.
/// `SO_RXQ_OVFL` tells the same, but only beside a datagram that comes later.
pub(super) fn datagrams_dropped(socket: impl AsFd) -> io::Result<u32> {
    let (info, len) = option(socket, libc::SOL_SOCKET, libc::SO_MEMINFO)?;
    match info[..len].get(DROPS_OFFSET..).and_then(|rest| rest.first_chunk()) {
        Some(drops) => Ok(u32::from_ne_bytes(*drops)),
        None => Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel does not count dropped datagrams")),
    }
}

/// The bytes of an option, and how many the kernel wrote.
fn option(socket: impl AsFd, level: libc::c_int, name: libc::c_int) -> io::Result<([u8; OPTION_LEN_MAX], usize)> {
    let mut value = [0u8; OPTION_LEN_MAX];
    let mut len = OPTION_LEN_MAX as libc::socklen_t;
    // SAFETY: the descriptor is open for the call's duration because it is borrowed; the kernel writes at most `len`
    // bytes to `value`, which is `len` bytes long, and the number that it wrote to `len`; every byte pattern is a valid
    // `u8`, and both outlive the call.
    let result =
        unsafe { libc::getsockopt(socket.as_fd().as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut len) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((value, (len as usize).min(OPTION_LEN_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};
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

    #[test]
    fn datagrams_that_find_no_room_are_counted() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&receiver, 4096).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(datagrams_dropped(&receiver).unwrap(), 0);
        for _ in 0..100 {
            sender.send_to(&[7; 1000], receiver.local_addr().unwrap()).unwrap();
        }
        receiver.set_nonblocking(true).unwrap();
        let received = std::iter::from_fn(|| receiver.recv(&mut [0; 1000]).ok()).count();
        let dropped = datagrams_dropped(&receiver).unwrap() as usize;
        assert!(dropped > 0 && received + dropped == 100, "{received} received, {dropped} dropped");
    }
}
