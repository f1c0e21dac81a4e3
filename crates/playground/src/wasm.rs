//! How JavaScript calls this library: it has the memory made, writes the question there, and reads the answer.
//!
//! JavaScript does the reading and writing, so no pointer is followed here. Exported names take the attribute
//! `unsafe(no_mangle)`, since two functions of one name would be mixed up. These names are in no other crate.
#![allow(unsafe_code, unreachable_pub, reason = "names that JavaScript calls; nothing is dereferenced")]

use std::cell::RefCell;

thread_local! {
    /// The question, then the answer.
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes room for a question of `length` bytes and returns where it is to be written.
#[unsafe(no_mangle)]
pub extern "C" fn question(length: usize) -> *mut u8 {
    TEXT.with_borrow_mut(|text| {
        text.clear();
        text.resize(length, 0);
        text.as_mut_ptr()
    })
}

/// Renders the question, and returns the length of the answer.
#[unsafe(no_mangle)]
pub extern "C" fn render() -> usize {
    TEXT.with_borrow_mut(|text| {
        let answer = crate::answer(text);
        text.fill(0);
        *text = answer;
        text.len()
    })
}

/// Returns where the answer is.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const u8 {
    TEXT.with_borrow(|text| text.as_ptr())
}

/// Wipes the answer.
#[unsafe(no_mangle)]
pub extern "C" fn forget() {
    TEXT.with_borrow_mut(|text| text.fill(0));
}
