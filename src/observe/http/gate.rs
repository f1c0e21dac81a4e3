//! Decides which connections are served, which wait, and which have to make room. Pure.
//!
//! Anybody who reaches the listener can open connections and send nothing. So loopback and the Unix socket, where
//! the probes of a pod come from, have places that no other peer can take, and each address elsewhere has a few. If
//! a group is full, its oldest silent connection makes room for the next one. A peer that means to ask something
//! does so at once, and is never the oldest for long.

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{AbortHandle, AbortRegistration};

use leasehold_base::time::Moment;

/// The numbers of connections that are served at once, and the times that they have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    /// The connections from loopback, or over the Unix socket.
    pub(super) local: usize,
    /// The connections from elsewhere.
    pub(super) remote: usize,
    /// The connections from each address elsewhere.
    pub(super) each: usize,
    /// The connections from elsewhere that may wait. Those from this machine wait in the kernel's queue.
    pub(super) waiting: usize,
    /// A connection may stay silent for this time if others wait for its place and none is served any more. While
    /// some are served, those that wait have their turn soon, and a peer that has not asked yet may be waiting for
    /// the processor.
    pub(super) silent: Duration,
    /// A connection may take this time to take its answer, under the same conditions.
    pub(super) slow: Duration,
}

/// The origin of a connection, as far as places depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// This machine or this pod.
    Local,
    /// An address elsewhere. A host may have any address of an IPv6 network, so that is the network's.
    Remote(IpAddr),
}

impl Origin {
    pub(super) fn elsewhere(address: IpAddr) -> Self {
        const NETWORK: u128 = !0 << 64;
        Self::Remote(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & NETWORK).into()),
            v4 => v4,
        })
    }
}

/// A connection that has a place.
pub(super) struct Guest<S> {
    pub(super) number: u64,
    pub(super) stream: S,
    /// Set once the request of the connection is there.
    pub(super) heard: Rc<Cell<bool>>,
    /// Ends the connection if it has to make room.
    pub(super) cut: AbortRegistration,
}

/// A connection that has a place, as the gate knows it.
struct Seat {
    number: u64,
    origin: Origin,
    since: Moment,
    heard: Rc<Cell<bool>>,
    cut: AbortHandle,
}

impl Seat {
    /// Returns when it has to make room for another one, if a connection was served last at `served`.
    fn until(&self, served: Moment, places: Places) -> Moment {
        let until = self.since.after(if self.heard.get() { places.slow } else { places.silent });
        until.max(served.after(places.silent))
    }
}

/// All connections.
pub(super) struct Gate<S> {
    places: Places,
    /// The seats, from the oldest to the newest.
    seats: Vec<Seat>,
    waiting: VecDeque<(Origin, S)>,
    next: u64,
    /// The times when a connection was served last: one from this machine, and one from elsewhere.
    served: [Moment; 2],
}

impl<S> Gate<S> {
    pub(super) fn new(places: Places) -> Self {
        Self { places, seats: Vec::new(), waiting: VecDeque::new(), next: 0, served: Default::default() }
    }

    /// Returns whether another connection is to be accepted. While one from this machine waits, all others are left
    /// to the kernel.
    pub(super) fn is_open(&self) -> bool {
        !self.waiting.iter().any(|(origin, _)| *origin == Origin::Local)
    }

    /// Takes a connection that was accepted. One from elsewhere is closed where too many wait.
    pub(super) fn arrive(&mut self, origin: Origin, stream: S) {
        let waiting = self.waiting.iter().filter(|(other, _)| *other != Origin::Local).count();
        if origin == Origin::Local || waiting < self.places.waiting {
            self.waiting.push_back((origin, stream));
        }
    }

    /// Returns the next connection to be served, if there is a place for one.
    pub(super) fn admit(&mut self, now: Moment) -> Option<Guest<S>> {
        let at = self.waiting.iter().position(|(origin, _)| !self.is_full(*origin))?;
        let (origin, stream) = self.waiting.remove(at)?;
        let (cut, registration) = AbortHandle::new_pair();
        let (number, heard) = (self.next, Rc::default());
        self.next += 1;
        self.seats.push(Seat { number, origin, since: now, heard: Rc::clone(&heard), cut });
        Some(Guest { number, stream, heard, cut: registration })
    }

    /// Notes that a connection has ended.
    pub(super) fn leave(&mut self, number: u64, now: Moment) {
        let Some(at) = self.seats.iter().position(|seat| seat.number == number) else { return };
        let seat = self.seats.remove(at);
        if seat.heard.get() {
            self.served[group(seat.origin)] = now;
        }
    }

    /// Ends connections that have to make room by now. Call it after everything that was sent has been read: a
    /// connection that has asked already is not silent.
    pub(super) fn make_room(&mut self, now: Moment) {
        let waiting: Vec<Origin> = self.waiting.iter().map(|(origin, _)| *origin).collect();
        for origin in waiting {
            if !self.is_full(origin) {
                continue;
            }
            if let Some((number, _)) = self.next_to_go(origin).filter(|(_, until)| *until <= now)
                && let Some(at) = self.seats.iter().position(|seat| seat.number == number)
            {
                self.seats.remove(at).cut.abort();
            }
        }
    }

    /// Returns when it is time to [`make_room`](Self::make_room).
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.waiting.iter().filter_map(|(origin, _)| Some(self.next_to_go(*origin)?.1)).min()
    }

    fn is_full(&self, origin: Origin) -> bool {
        let count = |of: &dyn Fn(&Seat) -> bool| self.seats.iter().filter(|seat| of(seat)).count();
        match origin {
            Origin::Local => count(&|seat| seat.origin == origin) >= self.places.local,
            Origin::Remote(_) => self.has_its_share(origin) || count(&is_remote) >= self.places.remote,
        }
    }

    fn has_its_share(&self, origin: Origin) -> bool {
        self.seats.iter().filter(|seat| seat.origin == origin).count() >= self.places.each
    }

    /// Returns the connection whose place one from `origin` gets first, and when. If the address of `origin` has
    /// its share, it is one of its own.
    fn next_to_go(&self, origin: Origin) -> Option<(u64, Moment)> {
        let own = origin == Origin::Local || self.has_its_share(origin);
        let rivals =
            self.seats.iter().filter(|seat| if own { seat.origin == origin } else { is_remote(seat) });
        let served = self.served[group(origin)];
        rivals.map(|seat| (seat.number, seat.until(served, self.places))).min_by_key(|(_, until)| *until)
    }
}

fn group(origin: Origin) -> usize {
    usize::from(origin != Origin::Local)
}

fn is_remote(seat: &Seat) -> bool {
    seat.origin != Origin::Local
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: Duration = Duration::from_millis(500);
    const SLOW: Duration = Duration::from_secs(2);
    const PLACES: Places = Places { local: 2, remote: 4, each: 2, waiting: 3, silent: SILENT, slow: SLOW };

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_secs(1000) + Duration::from_millis(millis))
    }

    fn from(last: u8) -> Origin {
        Origin::elsewhere([192, 0, 2, last].into())
    }

    /// Returns what has been admitted by now, if some had to make room.
    fn admitted(gate: &mut Gate<&'static str>, now: u64) -> Vec<Guest<&'static str>> {
        gate.make_room(at(now));
        std::iter::from_fn(|| gate.admit(at(now))).collect()
    }

    fn names(guests: &[Guest<&'static str>]) -> Vec<&'static str> {
        guests.iter().map(|guest| guest.stream).collect()
    }

    #[test]
    fn peers_from_elsewhere_take_no_place_of_loopback_and_one_address_none_of_another() {
        let mut gate = Gate::new(PLACES);
        let mut first = Vec::new();
        for name in ["a", "b", "c", "d", "e", "closed"] {
            gate.arrive(from(1), name);
            first.extend(admitted(&mut gate, 0));
        }
        assert_eq!(names(&first), ["a", "b"]);
        assert!(gate.is_open(), "they wait here, and the kernel's queue is free");
        gate.arrive(Origin::Local, "probe");
        assert_eq!(names(&admitted(&mut gate, 0)), ["probe"]);
        for number in [first[0].number, first[1].number] {
            gate.leave(number, at(0));
        }
        assert_eq!(names(&admitted(&mut gate, 0)), ["c", "d"]);
        gate.arrive(from(2), "other");
        assert_eq!(names(&admitted(&mut gate, 0)), ["other"]);
    }

    #[test]
    fn where_all_places_are_taken_the_oldest_silent_one_makes_room_in_half_a_second() {
        let mut gate = Gate::new(PLACES);
        gate.arrive(Origin::Local, "heard");
        let heard = admitted(&mut gate, 0);
        heard[0].heard.set(true);
        gate.arrive(Origin::Local, "silent");
        let silent = admitted(&mut gate, 10);
        assert_eq!((admitted(&mut gate, 1000).len(), gate.deadline()), (0, None), "nobody waits");
        gate.arrive(Origin::Local, "probe");
        assert!(!gate.is_open() && admitted(&mut gate, 509).is_empty());
        assert_eq!(gate.deadline(), Some(at(510)));
        assert_eq!(names(&admitted(&mut gate, 510)), ["probe"]);
        let aborted = |guest: Guest<_>| {
            let nothing = futures_util::future::Abortable::new(std::future::ready(()), guest.cut);
            nothing.is_aborted()
        };
        assert_eq!((silent.into_iter().map(aborted).next(), gate.is_open()), (Some(true), true));
        // One that does not take its answer makes room, too, later.
        gate.arrive(Origin::Local, "another");
        assert_eq!(names(&admitted(&mut gate, 1100)), ["another"]);
        gate.arrive(Origin::Local, "the last");
        assert_eq!(gate.deadline(), Some(at(1600)));
        assert_eq!(heard.into_iter().map(aborted).next(), Some(false));
        assert_eq!(names(&admitted(&mut gate, 2000)), ["the last"]);
    }

    #[test]
    fn while_some_are_served_nobody_has_to_make_room() {
        let mut gate = Gate::new(PLACES);
        gate.arrive(Origin::Local, "starved");
        admitted(&mut gate, 0);
        gate.arrive(Origin::Local, "served");
        let served = admitted(&mut gate, 0);
        served[0].heard.set(true);
        gate.leave(served[0].number, at(900));
        gate.arrive(Origin::Local, "next");
        gate.arrive(Origin::Local, "the one after it");
        assert_eq!(names(&admitted(&mut gate, 1000)), ["next"]);
        assert_eq!(gate.deadline(), Some(at(1400)));
        assert_eq!(names(&admitted(&mut gate, 1400)), ["the one after it"]);
    }

    #[test]
    fn with_many_addresses_the_oldest_of_them_all_makes_room() {
        let mut gate = Gate::new(PLACES);
        for last in 1..=4 {
            gate.arrive(from(last), "silent");
            assert_eq!(admitted(&mut gate, u64::from(last)).len(), 1);
        }
        gate.arrive(from(9), "scraper");
        assert_eq!(gate.deadline(), Some(at(501)));
        assert_eq!(names(&admitted(&mut gate, 501)), ["scraper"]);
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_and_both_spellings_of_an_ipv4_address_are_one() {
        let of = |text: &str| Origin::elsewhere(text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
