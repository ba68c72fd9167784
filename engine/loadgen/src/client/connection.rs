//! Connections: made without waiting, kept while they are idle.

use super::Target;
use crate::LoadError;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use std::net::SocketAddr;

/// Descriptors beside those of connections.
const OTHERS: u64 = 64;

/// A socket, its place in the pool, and what it waits for.
#[derive(Debug)]
pub(super) struct Connection {
    fd: OwnedFd,
    /// Its place in the pool; another connection may take it later.
    pub place: usize,
    /// Wakes the loop for writing too.
    watches_write: bool,
    /// It served a request before, or was made long before this one.
    pub used: bool,
}

/// Every connection of a load.
#[derive(Debug)]
pub(super) struct Pool {
    addr: SocketAddr,
    pub epoll: OwnedFd,
    idle: Vec<Connection>,
    free_places: Vec<usize>,
    places: usize,
    pub made: u64,
    limit: u64,
}

impl Pool {
    pub(super) fn new(target: &Target) -> Result<Self, LoadError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|error| LoadError::system("cannot make an event queue")(error.into()))?;
        let limit = raise_limit();
        Ok(Self {
            addr: target.addr,
            epoll,
            idle: Vec::new(),
            free_places: Vec::new(),
            places: 0,
            made: 0,
            limit,
        })
    }

    /// Whether this many connections can be open at once.
    pub(super) fn suffices(&self, connections: usize) -> Result<(), LoadError> {
        if (connections as u64).saturating_add(OTHERS) <= self.limit {
            return Ok(());
        }
        Err(LoadError::Config(format!(
            "{connections} connections need {} open files, and the limit is {}; raise it with `ulimit -n`, or lower the concurrency",
            connections as u64 + OTHERS,
            self.limit
        )))
    }

    /// An idle connection, or a new one that may still be under way.
    pub(super) fn take(&mut self) -> Result<Connection, String> {
        match self.idle.pop() {
            Some(idle) => Ok(idle),
            None => self.connect(),
        }
    }

    /// A new connection that may still be under way.
    pub(super) fn connect(&mut self) -> Result<Connection, String> {
        let text = |error: Errno| format!("no connection to {}: {error}", self.addr);
        let family = if self.addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = net::socket_with(family, SocketType::STREAM, flags, None).map_err(text)?;
        sockopt::set_tcp_nodelay(&fd, true).map_err(text)?;
        super::stamp::ask(&fd);
        match net::connect(&fd, &self.addr) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(text(error)),
        }
        let place = self.free_places.pop().unwrap_or_else(|| {
            self.places += 1;
            self.places - 1
        });
        let watched = EventFlags::IN | EventFlags::RDHUP | EventFlags::OUT;
        epoll::add(&self.epoll, &fd, EventData::new_u64(place as u64), watched).map_err(text)?;
        self.made += 1;
        Ok(Connection { fd, place, watches_write: true, used: false })
    }

    /// Takes back one that can carry another request.
    pub(super) fn keep(&mut self, mut connection: Connection) {
        connection.used = true;
        self.idle.push(connection);
    }

    /// Ends a connection. Its place is free again only at the end of a turn, so that no event of the old one meets a new one.
    pub(super) fn end(&mut self, connection: Connection) -> usize {
        let place = connection.place;
        drop(connection);
        place
    }

    pub(super) fn free(&mut self, places: impl IntoIterator<Item = usize>) {
        self.free_places.extend(places);
    }

    /// The server has closed an idle connection, or has sent what nobody asked for. `true` if it was idle.
    pub(super) fn drop_idle(&mut self, place: usize) -> bool {
        let at = self.idle.iter().position(|idle| idle.place == place);
        at.map(|at| self.idle.swap_remove(at)).is_some()
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }
}

impl Connection {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether a connection that was under way has failed.
    pub(super) fn failure(&self) -> Option<Errno> {
        match sockopt::socket_error(&self.fd) {
            Ok(Ok(())) => None,
            Ok(Err(error)) | Err(error) => Some(error),
        }
    }

    /// Wakes the loop when there is room to write, or no longer.
    pub(super) fn watch_write(&mut self, epoll: &OwnedFd, watch: bool) -> Result<(), Errno> {
        if self.watches_write == watch {
            return Ok(());
        }
        let mut flags = EventFlags::IN | EventFlags::RDHUP;
        flags.set(EventFlags::OUT, watch);
        self.watches_write = watch;
        epoll::modify(epoll, &self.fd, EventData::new_u64(self.place as u64), flags)
    }
}

/// Allows as many open files as the system lets us; gives the limit.
fn raise_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: now.maximum, maximum: now.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => now.maximum.unwrap_or(u64::MAX),
        Err(_) => now.current.unwrap_or(u64::MAX),
    }
}
