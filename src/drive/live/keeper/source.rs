//! What the keeper waits for, and how that is written into an epoll set.

use rustix::event::epoll::EventData;

/// What the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Listener,
    Children,
    Timer,
    Connection(u64),
    Stdout(u64),
    Stderr(u64),
    Stdin(u64),
    Leftover(u64),
}

impl Source {
    /// As it stands in the set.
    pub(super) fn data(self) -> EventData {
        let (kind, id) = match self {
            Self::Listener => (0, 0),
            Self::Children => (1, 0),
            Self::Timer => (2, 0),
            Self::Connection(id) => (3, id),
            Self::Stdout(id) => (4, id),
            Self::Stderr(id) => (5, id),
            Self::Stdin(id) => (6, id),
            Self::Leftover(id) => (7, id),
        };
        EventData::new_u64(id << 3 | kind)
    }

    /// As it comes back.
    pub(super) fn from(data: EventData) -> Self {
        let id = data.u64() >> 3;
        match data.u64() & 7 {
            0 => Self::Listener,
            1 => Self::Children,
            2 => Self::Timer,
            3 => Self::Connection(id),
            4 => Self::Stdout(id),
            5 => Self::Stderr(id),
            6 => Self::Stdin(id),
            _ => Self::Leftover(id),
        }
    }
}
