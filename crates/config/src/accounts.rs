//! Looks names of users and groups up in the files themselves: a static binary on a scratch image has no name
//! service to ask.

/// One of the two books of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Users, in passwd(5).
    User,
    /// Groups, in group(5).
    Group,
}

impl Account {
    /// Returns the path of the file.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::User => "/etc/passwd",
            Self::Group => "/etc/group",
        }
    }
}

/// Returns the number of `name` in the text of passwd(5) or group(5): the third field of its line, in both.
#[must_use]
pub fn look_up(book: &[u8], name: &str) -> Option<u32> {
    if name.is_empty() {
        return None;
    }
    book.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = std::str::from_utf8(line).ok()?.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        fields.nth(1)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_their_whole_first_field() {
        let book = b"root:x:0:0:root:/root:/bin/sh\n\nbroken\nwww\xff:x:5:5::/:\nweb:x:101:102::/:\n";
        assert_eq!(look_up(book, "web"), Some(101));
        assert_eq!(look_up(book, "root"), Some(0));
        for name in ["we", "", "broken", "x"] {
            assert_eq!(look_up(book, name), None, "{name:?}");
        }
        assert_eq!(look_up(b"tls:x:7:web,root", "tls"), Some(7));
    }
}
