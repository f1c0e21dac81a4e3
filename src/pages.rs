//! The program's own pages, given back to the kernel while there is nothing to do.
//!
//! A start touches most of the program once: the configuration's reader, the sandbox, TLS. What an idle sidecar needs
//! of it is a fifth, but the kernel keeps all of it mapped, and, where memory is locked, resident. Pages that are as
//! they are in the program's file can be let go of at any time: with the next touch they come back from the page cache.
//!
//! The heap keeps what a start, a reload or a large handoff took, for later: [`give_back_heap`] returns that, too.
//!
//! This is the one place of the crate with `unsafe` code: no crate has a safe way to say it.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;

use rustix::io::Errno;
use rustix::mm::{Advice, madvise};

/// The pages of the program that are as they are in its file.
#[derive(Debug)]
pub struct Pages(State);

#[derive(Debug)]
enum State {
    /// The kernel's account of our memory. A sandbox closes it to what opens it later.
    Unread(File),
    /// The places of the pages. They are found once, because a program is mapped at its start.
    Known(Vec<Range<usize>>),
}

impl Pages {
    /// Opens the accounts of this process. It has to be called before the sandbox is up.
    ///
    /// # Errors
    /// If `/proc` is not there.
    pub fn open() -> io::Result<Self> {
        File::open("/proc/self/smaps").map(State::Unread).map(Self)
    }

    /// Gives the pages back. It has to be called when relocations are done, which is before `main`.
    ///
    /// # Errors
    /// If the kernel does not account for our memory, or does not take the pages.
    pub fn give_back(&mut self) -> io::Result<()> {
        if let State::Unread(account) = &mut self.0 {
            let mut text = String::new();
            account.read_to_string(&mut text)?;
            // Of all that is mapped, the file that this very function is in.
            let here = Self::give_back as *const () as usize;
            self.0 = State::Known(unchanged(&text, here));
        }
        let State::Known(ranges) = &self.0 else { return Ok(()) };
        ranges.iter().try_for_each(let_go).map_err(io::Error::from)
    }
}

/// Lets go of pages that [`unchanged`] has found.
#[expect(unsafe_code, reason = "the one system call that no crate has a safe form of")]
fn let_go(pages: &Range<usize>) -> Result<(), Errno> {
    let advise = |advice| {
        let start = std::ptr::with_exposed_provenance_mut(pages.start);
        // SAFETY: the advice makes the next touch of a page read it from the mapped file. These pages cannot be
        // written to (the mapping is private and read-only, and nothing here changes protections), none of them
        // differed from the file when they were found, and Linux lets no process write to the file of a running
        // program (ETXTBSY). So whatever refers to them reads the same bytes afterwards.
        unsafe { madvise(start, pages.len(), advice) }
    };
    // Before Linux 5.18 there is only the advice that refuses locked pages.
    advise(Advice::LinuxDontneedLocked).or_else(|why| match why {
        Errno::INVAL => advise(Advice::LinuxDontNeed),
        why => Err(why),
    })
}

/// Gives free pages of the heap back to the kernel. It does nothing if the C library has no way to do that.
pub fn give_back_heap() {
    #[cfg(target_env = "gnu")]
    {
        #[expect(unsafe_code, reason = "no crate has it: it is the C library's own")]
        // SAFETY: this is the declaration of glibc's <malloc.h>. The function takes a number, locks the heap as `free` does,
        // and touches only pages that nothing is allocated in.
        unsafe extern "C" {
            safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        let _any_was_given_back = malloc_trim(0);
    }
}

/// Returns the mappings of the file that `here` is in, if no process can write to them and no page of theirs
/// differs from the file. Pages of relocations differ, although they are read-only, too.
fn unchanged(account: &str, here: usize) -> Vec<Range<usize>> {
    let mappings: Vec<Mapping> = mappings(account);
    let own = mappings.iter().find(|mapping| mapping.range.contains(&here)).map(|mapping| mapping.file);
    let ours = |mapping: &&Mapping| Some(mapping.file) == own && mapping.is_unchanged();
    mappings.iter().filter(ours).map(|mapping| mapping.range.clone()).collect()
}

/// A mapping, as `/proc/self/smaps` describes it.
struct Mapping<'a> {
    range: Range<usize>,
    /// `r-xp`.
    access: &'a str,
    /// The device and the number of the file. Another file may have its name by now.
    file: (&'a str, &'a str),
    /// The KiB that no file backs, resident and swapped; `None` if the system does not say.
    anonymous: Option<u64>,
    swapped: Option<u64>,
}

impl Mapping<'_> {
    fn is_unchanged(&self) -> bool {
        let private_and_read_only = self.access.starts_with("r-") && self.access.ends_with('p');
        let of_a_file = self.file.1 != "0";
        private_and_read_only && of_a_file && self.anonymous == Some(0) && self.swapped == Some(0)
    }
}

/// Reads a heading for each mapping, and then a line for each of its figures: `Anonymous:             0 kB`.
fn mappings(account: &str) -> Vec<Mapping<'_>> {
    let mut all: Vec<Mapping> = Vec::new();
    for line in account.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        let figure = |mut words: std::str::SplitAsciiWhitespace| words.next()?.parse().ok();
        match (first, all.last_mut()) {
            ("Anonymous:", Some(mapping)) => mapping.anonymous = figure(words),
            ("Swap:", Some(mapping)) => mapping.swapped = figure(words),
            _ => all.extend(heading(first, words)),
        }
    }
    all
}

/// Reads a heading: `7f3e55400000-7f3e5560d000 r--p 00000000 fe:00 1835 /usr/local/bin/leasehold`.
fn heading<'a>(addresses: &'a str, mut words: impl Iterator<Item = &'a str>) -> Option<Mapping<'a>> {
    let (start, end) = addresses.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let range = address(start)?..address(end)?;
    let (access, _offset, device, number) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(Mapping { range, access, file: (device, number), anonymous: None, swapped: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The account of Linux 6.18 of a program whose relocated tables were made read-only.
    const ACCOUNT: &str = "\
7f3e55400000-7f3e5560d000 r--p 00000000 fe:00 1835 /usr/local/bin/leasehold
Size:               2100 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me
7f3e5560d000-7f3e55b33000 r-xp 0020c000 fe:00 1835 /usr/local/bin/leasehold (deleted)
Anonymous:             0 kB
Swap:                  0 kB
7f3e55b33000-7f3e55b86000 r--p 00731000 fe:00 1835 /usr/local/bin/leasehold
Anonymous:           332 kB
Swap:                  0 kB
7f3e55b86000-7f3e55b8a000 rw-p 00783000 fe:00 1835 /usr/local/bin/leasehold
Anonymous:             0 kB
Swap:                  0 kB
7f3e55b8a000-7f3e55b93000 rw-p 00000000 00:00 0
Anonymous:            16 kB
Swap:                  0 kB
7f3e56000000-7f3e56001000 r--p 00000000 fe:00 77 /usr/local/bin/leasehold
Anonymous:             0 kB
Swap:                  0 kB
";

    #[test]
    fn only_what_is_as_in_the_program_s_own_file_is_given_back() {
        let own = [0x7f3e_5540_0000..0x7f3e_5560_d000, 0x7f3e_5560_d000..0x7f3e_55b3_3000];
        assert_eq!(unchanged(ACCOUNT, 0x7f3e_5570_0000), own);
        let other = 0x7f3e_5600_0000..0x7f3e_5600_1000;
        assert_eq!(
            unchanged(ACCOUNT, 0x7f3e_5600_0fff).as_slice(),
            std::slice::from_ref(&other),
            "another file"
        );
        assert!(unchanged(ACCOUNT, 0x1000).is_empty(), "nothing is mapped there");
        assert!(unchanged(ACCOUNT, 0x7f3e_55b9_0000).is_empty(), "no file is mapped there");
    }

    #[test]
    fn what_was_swapped_out_or_is_not_told_of_stays() {
        let swapped = ACCOUNT.replacen("Swap:                  0 kB", "Swap:                  4 kB", 1);
        assert_eq!(unchanged(&swapped, 0x7f3e_5570_0000).len(), 1);
        let untold = ACCOUNT.replace("Anonymous:", "Something:");
        assert!(unchanged(&untold, 0x7f3e_5570_0000).is_empty());
        assert!(unchanged("", 0x7f3e_5570_0000).is_empty());
        assert!(unchanged("no-account at all\n\nAnonymous: 0 kB\n", 0).is_empty());
    }

    #[test]
    fn a_program_goes_on_without_its_pages_and_keeps_what_was_relocated() {
        static RELOCATED: [&str; 2] = ["one", "two"];
        static mut WRITTEN: u8 = 1;
        let mut pages = Pages::open().expect("/proc is mounted");
        // The second time from what the first one found.
        for _ in 0..2 {
            pages.give_back().expect("the kernel takes them");
            assert_eq!(std::hint::black_box(RELOCATED).concat(), "onetwo");
        }
        let State::Known(ranges) = &pages.0 else { panic!("it was read") };
        let among = |address: usize| ranges.iter().any(|range| range.contains(&address));
        assert!(among(Pages::give_back as *const () as usize), "code");
        assert!(among(ACCOUNT.as_ptr().addr()), "texts");
        assert!(!among(RELOCATED.as_ptr().addr()), "pointers, that differ from run to run");
        assert!(!among((&raw const WRITTEN).addr()), "what can be written to");
        assert!(!among((&raw const pages).addr()), "the stack");
        assert!(!among(Box::new(1).as_ref() as *const i32 as usize), "the heap");
    }
}
