//! What all guests hold together: memories and tables, in bytes.
//!
//! A guest that wants more than is left waits until others have ended; it doesn't fail, for it did nothing wrong. Guests
//! that hold something and all wait for each other would wait for ever, so a part of the whole is set aside for one
//! guest at a time, the first in the line: it gets whatever its own limit allows, comes to its end, and the next one has
//! the reserve. That part is as large as any guest's limit ([`GuestMemory::largest`]).
//!
//! Those who hold a memory already stand before those who have yet to begin. What is given back would otherwise go to
//! beginnings, until all of it is held by guests that wait for more, and one after the other comes to its end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// From so many bytes on a guest holds a memory; less is a table of one that has yet to begin.
const MEMORY: u64 = 64 << 10;

/// The memory of all guests.
pub(crate) struct GuestMemory {
    /// What guests take without waiting, all together.
    open: u64,
    reserve: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Of the open part.
    taken: u64,
    /// Whether a guest has the reserve.
    reserved: bool,
    /// Those who hold a memory first.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    bytes: u64,
    holds_memory: bool,
    /// Told where from.
    granted: oneshot::Sender<Part>,
}

/// Where a guest's bytes are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Open,
    Reserve,
}

/// What one guest has of it, given back when dropped.
pub(crate) struct Share {
    whole: Arc<GuestMemory>,
    taken: u64,
    has_reserve: bool,
}

impl GuestMemory {
    /// At most `total` bytes; the reserve is half of them, or less where no guest may have as much.
    pub(crate) fn new(total: u64, most_of_a_guest: u64) -> Arc<Self> {
        let reserve = most_of_a_guest.min(total / 2);
        Arc::new(Self {
            open: total - reserve,
            reserve,
            state: Mutex::default(),
        })
    }

    /// The most that one guest can have.
    pub(crate) fn largest(&self) -> u64 {
        self.reserve
    }

    /// A guest's share, of which it has nothing yet.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share {
            whole: Arc::clone(self),
            taken: 0,
            has_reserve: false,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives to those who wait, in their order: the reserve to the first, the open part to whoever fits.
    fn grant(&self, state: &mut State) {
        let mut index = 0;
        while let Some(waiting) = state.waiting.get(index) {
            let part = if waiting.bytes <= self.open.saturating_sub(state.taken) {
                Part::Open
            } else if !state.reserved {
                Part::Reserve
            } else {
                index += 1;
                continue;
            };
            let Some(Waiting { bytes, granted, .. }) = state.waiting.remove(index) else {
                break;
            };
            // Whoever was stopped meanwhile takes nothing.
            if granted.send(part).is_ok() {
                match part {
                    Part::Open => state.taken += bytes,
                    Part::Reserve => state.reserved = true,
                }
            }
        }
    }
}

impl Share {
    /// Takes `bytes` if they are there.
    pub(crate) fn take(&mut self, bytes: u64) -> bool {
        if self.has_reserve {
            return true;
        }
        let mut state = self.whole.state();
        let fits = bytes <= self.whole.open.saturating_sub(state.taken);
        if fits {
            state.taken += bytes;
            self.taken += bytes;
        }
        fits
    }

    /// Waits for `bytes` and takes them. A guest that stops waiting has them not.
    pub(crate) async fn wait_for(&mut self, bytes: u64) {
        let mut place = {
            let mut state = self.whole.state();
            let (granted, told) = oneshot::channel();
            let holds_memory = self.taken >= MEMORY;
            let place = match holds_memory {
                true => state.waiting.partition_point(|other| other.holds_memory),
                false => state.waiting.len(),
            };
            let waiting = Waiting {
                bytes,
                holds_memory,
                granted,
            };
            state.waiting.insert(place, waiting);
            self.whole.grant(&mut state);
            Place {
                whole: Arc::clone(&self.whole),
                bytes,
                granted: told,
            }
        };
        match (&mut place.granted).await {
            Ok(Part::Open) => self.taken += bytes,
            Ok(Part::Reserve) => self.has_reserve = true,
            // Nobody drops a sender but `grant`, which sends.
            Err(_) => {}
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.taken == 0 && !self.has_reserve {
            return;
        }
        let mut state = self.whole.state();
        state.taken = state.taken.saturating_sub(self.taken);
        if self.has_reserve {
            state.reserved = false;
        }
        self.whole.grant(&mut state);
    }
}

/// A place in the line. Left before its turn, what was granted meanwhile goes to the next.
struct Place {
    whole: Arc<GuestMemory>,
    bytes: u64,
    granted: oneshot::Receiver<Part>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.granted.close();
        let granted = self.granted.try_recv();
        let mut state = self.whole.state();
        match granted {
            Ok(Part::Open) => state.taken = state.taken.saturating_sub(self.bytes),
            Ok(Part::Reserve) => state.reserved = false,
            // It was received, or it never came.
            Err(_) => state.waiting.retain(|waiting| !waiting.granted.is_closed()),
        }
        self.whole.grant(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll(waiting: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
        waiting.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_first_in_the_line_has_the_reserve_and_the_next_one_after_it() {
        let memory = GuestMemory::new(100, 40);
        let [mut a, mut b, mut c] = [memory.share(), memory.share(), memory.share()];
        assert!(a.take(30) && b.take(30), "60 are open");
        assert!(!c.take(1));
        {
            let mut first = pin!(a.wait_for(20));
            assert_eq!(poll(first.as_mut()), Poll::Ready(()), "of the reserve");
        }
        assert!(a.take(20), "whoever has the reserve has all of it");
        let mut second = Box::pin(b.wait_for(10));
        let mut third = Box::pin(c.wait_for(30));
        assert_eq!(poll(second.as_mut()), Poll::Pending);
        assert_eq!(poll(third.as_mut()), Poll::Pending);
        drop(a);
        assert_eq!(poll(second.as_mut()), Poll::Ready(()), "the reserve");
        assert_eq!(poll(third.as_mut()), Poll::Ready(()), "what the first one had");
        drop((second, third));
        drop((b, c));
        assert!(memory.share().take(60), "all of it came back");
    }

    #[test]
    fn small_ones_pass_a_large_one_that_waits() {
        let memory = GuestMemory::new(100, 50);
        let [mut first, mut large, mut small] = [memory.share(), memory.share(), memory.share()];
        assert!(first.take(40));
        assert_eq!(poll(pin!(first.wait_for(20))), Poll::Ready(()), "of the reserve");
        let mut waiting = Box::pin(large.wait_for(20));
        assert_eq!(poll(waiting.as_mut()), Poll::Pending);
        assert!(small.take(10));
        assert_eq!(poll(waiting.as_mut()), Poll::Pending);
        drop(first);
        assert_eq!(poll(waiting.as_mut()), Poll::Ready(()));
    }

    #[test]
    fn who_holds_a_memory_stands_before_who_has_yet_to_begin() {
        let memory = GuestMemory::new(4 * MEMORY, 2 * MEMORY);
        let [mut first, mut holds, mut reserve, mut begins] =
            [memory.share(), memory.share(), memory.share(), memory.share()];
        assert!(first.take(MEMORY) && holds.take(MEMORY));
        assert_eq!(poll(pin!(reserve.wait_for(1))), Poll::Ready(()), "of the reserve");
        let mut beginning = Box::pin(begins.wait_for(MEMORY));
        assert_eq!(poll(beginning.as_mut()), Poll::Pending);
        let mut more = Box::pin(holds.wait_for(MEMORY));
        assert_eq!(poll(more.as_mut()), Poll::Pending);
        drop(first);
        assert_eq!(poll(beginning.as_mut()), Poll::Pending);
        assert_eq!(poll(more.as_mut()), Poll::Ready(()), "though it came later");
        drop(reserve);
        assert_eq!(poll(beginning.as_mut()), Poll::Ready(()), "the reserve");
    }

    #[test]
    fn who_leaves_the_line_leaves_nothing_behind() {
        let memory = GuestMemory::new(100, 50);
        let [mut first, mut second, mut third] = [memory.share(), memory.share(), memory.share()];
        assert!(first.take(50));
        assert_eq!(poll(pin!(first.wait_for(1))), Poll::Ready(()), "the reserve");
        let mut leaves = Box::pin(second.wait_for(1));
        assert_eq!(poll(leaves.as_mut()), Poll::Pending);
        drop(leaves);
        assert!(memory.state().waiting.is_empty());
        // What is granted between two polls of one that is stopped goes to the next.
        let mut stopped = Box::pin(second.wait_for(1));
        let mut next = Box::pin(third.wait_for(50));
        assert_eq!(poll(stopped.as_mut()), Poll::Pending);
        assert_eq!(poll(next.as_mut()), Poll::Pending);
        drop(first);
        drop(stopped);
        assert_eq!(poll(next.as_mut()), Poll::Ready(()));
        drop(next);
        drop((second, third));
        let state = memory.state();
        assert_eq!((state.taken, state.reserved, state.waiting.len()), (0, false, 0));
    }
}
