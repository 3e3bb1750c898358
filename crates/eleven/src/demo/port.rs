//! A port on loopback for a process that is not there yet, or not there any more.

use std::net::SocketAddr;
use tokio::net::TcpSocket;

/// A port that is nobody else's as long as this value is there. It is bound and does not listen: the system gives it to nobody
/// who asks for any, who connects is refused, and who is told its number listens on it, as often as it is started.
pub(crate) struct Port {
    at: SocketAddr,
    _bound: TcpSocket,
}

impl Port {
    /// A free one.
    ///
    /// # Errors
    /// Where the system has none.
    pub(crate) fn keep() -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // Whoever listens on it asks for the same (`eleven_api::serve::listen`).
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        Ok(Self { at: socket.local_addr()?, _bound: socket })
    }

    /// Its address.
    pub(crate) const fn at(&self) -> SocketAddr {
        self.at
    }
}
