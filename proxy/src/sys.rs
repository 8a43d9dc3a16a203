//! Calls into the kernel that no library makes for us.
#![expect(
    unsafe_code,
    reason = "a file descriptor is borrowed by its number; see `cork`"
)]

use std::os::fd::{BorrowedFd, RawFd};

use socket2::SockRef;

/// Lets the kernel gather what is written to a TCP socket into full packets, or send what it has gathered
/// (`TCP_CORK`, what nginx calls `tcp_nopush`). Nothing happens where there is no such thing, or the socket is none.
///
/// A descriptor by number may have been closed and given to another socket: the caller holds the connection that it
/// belongs to.
pub(crate) fn cork(socket: RawFd, corked: bool) {
    if socket < 0 {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        // SAFETY: it is not -1, and it is borrowed for this call only, while the caller holds the connection.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        // Unix sockets refuse; then packets go out as they are written.
        let _ = SockRef::from(&socket).set_tcp_cork(corked);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd as _,
    };

    use super::*;

    #[test]
    fn what_is_written_corked_arrives_once_it_is_uncorked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        cork(near.as_raw_fd(), true);
        near.write_all(b"head").unwrap();
        far.set_nonblocking(true).unwrap();
        let mut got = [0; 16];
        assert!(far.read(&mut got).is_err(), "nothing has been sent");
        near.write_all(b"body").unwrap();
        cork(near.as_raw_fd(), false);
        far.set_nonblocking(false).unwrap();
        let n = far.read(&mut got).unwrap();
        assert_eq!(&got[..n], b"headbody");
    }

    #[test]
    fn what_is_no_tcp_socket_is_left_alone() {
        cork(-1, true);
        let file = std::fs::File::open("/dev/null").unwrap();
        cork(file.as_raw_fd(), true);
    }
}
