use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::fs::fcntl_getfl;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use super::*;

/// Returns standard error as another process made it, which blocks, and its reader, which does not.
fn small_pipe() -> (BorrowedFd<'static>, File) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    fcntl_setpipe_size(&writer, PIPE_BUF).expect("one page");
    let flags = fcntl_getfl(&reader).expect("its flags");
    rustix::fs::fcntl_setfl(&reader, flags | OFlags::NONBLOCK).expect("they can be set");
    (kept(writer), File::from(reader))
}

/// Keeps a descriptor open until the process ends. A test process ends soon.
fn kept(fd: OwnedFd) -> BorrowedFd<'static> {
    let kept: &'static OwnedFd = Box::leak(Box::new(fd));
    kept.as_fd()
}

fn outlet(stderr: BorrowedFd<'static>) -> Outlet {
    Outlet::new(Target::of(stderr), |dropped| format!("{dropped} dropped\n"))
}

/// Returns what can be read now.
fn read(reader: &mut File) -> String {
    let mut bytes = Vec::new();
    // It ends with "would block", after all that there is.
    let _would_block = reader.read_to_end(&mut bytes);
    String::from_utf8(bytes).expect("UTF-8")
}

fn line(number: usize) -> Vec<u8> {
    format!("{number:0>99}\n").into_bytes()
}

#[test]
fn a_reader_that_reads_gets_every_line_at_once_in_order() {
    let (stderr, mut reader) = small_pipe();
    let mut outlet = outlet(stderr);
    for number in 0..1000 {
        outlet.log(line(number));
        assert_eq!(read(&mut reader).into_bytes(), line(number));
    }
    assert!(outlet.lines.is_empty() && outlet.dropped == 0);
}

#[test]
fn the_shared_description_goes_on_blocking_for_the_process_of_exec_and_the_shell() {
    let (stderr, _reader) = small_pipe();
    let outlet = outlet(stderr);
    assert!(matches!(outlet.target, Target::Own(_)));
    assert!(!fcntl_getfl(stderr).expect("its flags").contains(OFlags::NONBLOCK));
}

#[test]
fn without_a_reader_lines_wait_then_are_dropped_and_the_gap_is_named_where_it_is() {
    let (stderr, mut reader) = small_pipe();
    // On a loaded machine its reader may have to wait for its turn far longer than a reader in good health.
    let mut outlet = Outlet { patience: Duration::from_secs(60), ..outlet(stderr) };
    let all = 2 * MOST / 100;
    let began = clock::moment();
    (0..all).for_each(|number| outlet.log(line(number)));
    let took = began.until(clock::moment());
    // Waiting for each line would take 200 times as long; a loaded machine may take some of them.
    let waits = u32::try_from(all).expect("thousands") / 10;
    assert!(took >= PATIENCE && took < waits * PATIENCE, "{took:?}: the reader is waited for once");
    let dropped = outlet.dropped;
    assert!(outlet.bytes <= MOST && dropped > 0, "{} bytes, {dropped} dropped", outlet.bytes);
    let mut text = String::new();
    while !outlet.lines.is_empty() {
        text += &read(&mut reader);
        outlet.catch_up();
    }
    text += &read(&mut reader);
    outlet.log(line(all));
    text += &read(&mut reader);
    let kept = all - usize::try_from(dropped).expect("it fits");
    let expected: Vec<u8> = (0..kept).flat_map(line).collect();
    let expected = [expected, format!("{dropped} dropped\n").into_bytes(), line(all)].concat();
    assert!(text.into_bytes() == expected, "in order, with the notice in the gap");
    assert!(outlet.lines.capacity() == 0, "the room is given back");
}

#[test]
fn a_reader_that_is_slower_than_a_burst_loses_nothing() {
    let (stderr, mut reader) = small_pipe();
    // On a loaded machine its reader may have to wait for its turn far longer than a reader in good health.
    let mut outlet = Outlet { patience: Duration::from_secs(60), ..outlet(stderr) };
    let all = 2 * MOST / 100;
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        while text.len() < all * 100 {
            std::thread::yield_now();
            text += &read(&mut reader);
        }
        text
    });
    (0..all).for_each(|number| outlet.log(line(number)));
    outlet.finish(Duration::from_secs(60));
    let text = reading.join().expect("it reads all");
    assert!(text.into_bytes() == (0..all).flat_map(line).collect::<Vec<u8>>());
}

#[test]
fn the_end_waits_for_the_reader_and_not_for_ever() {
    let (stderr, mut reader) = small_pipe();
    let mut outlet = outlet(stderr);
    (0..100).for_each(|number| outlet.log(line(number)));
    let (began, most) = (clock::moment(), Duration::from_millis(50));
    outlet.finish(most);
    assert!(began.until(clock::moment()) >= most && !outlet.lines.is_empty());
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        while text.len() < 100 * 100 {
            std::thread::yield_now();
            text += &read(&mut reader);
        }
        text.len()
    });
    outlet.finish(Duration::from_secs(60));
    assert_eq!((reading.join().expect("it reads all"), outlet.bytes), (100 * 100, 0));
}

#[test]
fn a_socket_as_the_journals_is_asked_not_to_wait_and_stays_as_it_is() {
    let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
    let stderr = kept(ours.into());
    let mut outlet = outlet(stderr);
    let mut sent = 0;
    while outlet.lines.is_empty() {
        outlet.log(line(sent));
        sent += 1;
    }
    assert!(!fcntl_getfl(stderr).expect("its flags").contains(OFlags::NONBLOCK));
    let mut text = vec![0; sent * 100];
    let reading = std::thread::spawn(move || {
        theirs.read_exact(&mut text).expect("all lines");
        text
    });
    outlet.finish(Duration::from_secs(60));
    assert!(reading.join().expect("it reads all") == (0..sent).flat_map(line).collect::<Vec<u8>>());
}

#[test]
fn a_pipe_that_may_not_be_opened_again_and_a_line_longer_than_it_are_written_as_there_is_room() {
    let (stderr, mut reader) = small_pipe();
    let mut outlet = Outlet { target: Target::Shared(stderr), ..outlet(stderr) };
    let long = [vec![b'x'; 3 * PIPE_BUF], b"\n".to_vec()].concat();
    outlet.log(long.clone());
    outlet.log(line(1));
    let mut text = String::new();
    while !outlet.lines.is_empty() {
        text += &read(&mut reader);
        outlet.catch_up();
    }
    text += &read(&mut reader);
    assert!(text.into_bytes() == [long, line(1)].concat());
}

#[test]
fn without_anybody_at_the_other_end_lines_are_lost_and_nothing_is_kept() {
    let (stderr, reader) = small_pipe();
    let mut outlet = outlet(stderr);
    drop(reader);
    (0..100).for_each(|number| outlet.log(line(number)));
    assert_eq!((outlet.bytes, outlet.dropped), (0, 0));
}
