//! Addresses as Go's `net/url` takes them apart and puts them together.

use std::net::Ipv6Addr;

use zeroize::Zeroizing;

/// A part of an address: what stands in it unescaped differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UrlPart {
    Path,
    Host,
    /// The zone of an IPv6 address.
    Zone,
    User,
    Fragment,
}

/// A name, and a password where there is one.
#[derive(Default)]
pub(super) struct User {
    name: Zeroizing<Vec<u8>>,
    password: Option<Zeroizing<Vec<u8>>>,
}

/// The parts of an address, unescaped where Go unescapes them.
#[derive(Default)]
pub(super) struct Url {
    pub(super) scheme: Vec<u8>,
    pub(super) opaque: Vec<u8>,
    pub(super) user: Option<User>,
    pub(super) host: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) query: Vec<u8>,
    pub(super) fragment: Vec<u8>,
}

impl Url {
    /// Parses an address as Go's `url.Parse` does; `None` if that fails.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.iter().any(u8::is_ascii_control) {
            return None;
        }
        let (text, fragment) = cut(text, b'#');
        let mut url = Self { fragment: unescape(fragment, UrlPart::Fragment)?, ..Self::default() };
        if text == b"*" {
            url.path = b"*".to_vec();
            return Some(url);
        }
        let (scheme, rest) = scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (mut rest, query) = cut(rest, b'?');
        url.query = query.to_vec();
        if !rest.starts_with(b"/") {
            if !scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Some(url);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return None;
            }
        }
        if let Some(authority) = rest.strip_prefix(b"//")
            && (!scheme.is_empty() || !rest.starts_with(b"///"))
        {
            let end = authority.iter().position(|&byte| byte == b'/').unwrap_or(authority.len());
            rest = &authority[end..];
            url.authority(&authority[..end])?;
        }
        url.path = unescape(rest, UrlPart::Path)?;
        Some(url)
    }

    fn authority(&mut self, authority: &[u8]) -> Option<()> {
        let at = authority.iter().rposition(|&byte| byte == b'@');
        self.host = host(at.map_or(authority, |at| &authority[at + 1..]))?;
        self.user = match at {
            Some(at) => Some(User::parse(&authority[..at])?),
            None => None,
        };
        Some(())
    }

    /// Returns the host without its port and its brackets.
    pub(super) fn hostname(&self) -> &[u8] {
        let colon = self.host.iter().rposition(|&byte| byte == b':');
        let host = match colon.filter(|&at| is_port(&self.host[at..])) {
            Some(at) => &self.host[..at],
            None => &self.host[..],
        };
        host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
    }

    /// Writes the address as Go's `URL.String` does.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.write_hierarchy(out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            escape(&self.fragment, UrlPart::Fragment, out);
        }
    }

    fn write_hierarchy(&self, out: &mut Vec<u8>) {
        let authority = !self.host.is_empty() || self.user.is_some();
        if authority || !self.scheme.is_empty() && !self.path.is_empty() {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &self.user {
            user.write(out);
            out.push(b'@');
        }
        escape(&self.host, UrlPart::Host, out);
        if !self.host.is_empty() && !self.path.is_empty() && !self.path.starts_with(b"/") {
            out.push(b'/');
        }
        // A colon in the first part of a relative path would make it a scheme.
        if out.is_empty() && cut(&self.path, b'/').0.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        if self.path == b"*" {
            out.push(b'*');
        } else {
            escape(&self.path, UrlPart::Path, out);
        }
    }
}

impl User {
    /// Parses a name and a password with a colon between them; `None` if the text has a sign that they may not have.
    fn parse(text: &[u8]) -> Option<Self> {
        let valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
        if !text.iter().all(valid) {
            return None;
        }
        let colon = text.contains(&b':');
        let (name, password) = cut(text, b':');
        Some(Self {
            name: unescape(name, UrlPart::User)?.into(),
            password: if colon { Some(unescape(password, UrlPart::User)?.into()) } else { None },
        })
    }

    /// Writes the name and the password as they stand in an address.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        escape(&self.name, UrlPart::User, out);
        if let Some(password) = &self.password {
            out.push(b':');
            escape(password, UrlPart::User, out);
        }
    }
}

/// Returns what is before the first `separator` and what is behind it. Without a separator, these are the whole text
/// and nothing.
fn cut(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == separator) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

/// Returns the scheme, which may be empty, and the rest; `None` for a text that begins with a colon.
fn scheme(text: &[u8]) -> Option<(&[u8], &[u8])> {
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return Some((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Some((b"", text))
}

/// Returns whether `text` is empty, or a colon and digits. There may be no digits behind the colon.
fn is_port(text: &[u8]) -> bool {
    text.is_empty() || text.starts_with(b":") && text[1..].iter().all(u8::is_ascii_digit)
}

fn host(text: &[u8]) -> Option<Vec<u8>> {
    let Some(open) = text.iter().rposition(|&byte| byte == b'[') else {
        let colon = text.iter().position(|&byte| byte == b':').unwrap_or(text.len());
        return if is_port(&text[colon..]) { unescape(text, UrlPart::Host) } else { None };
    };
    let close = text.iter().rposition(|&byte| byte == b']')?;
    if open != 0 || !is_port(&text[close + 1..]) {
        return None;
    }
    let address = &text[1..close];
    let zone = address.windows(3).position(|window| window == b"%25").unwrap_or(address.len());
    let literal = std::str::from_utf8(&address[..zone]).ok()?;
    literal.parse::<Ipv6Addr>().ok()?;
    let mut host = unescape(&text[..=zone], UrlPart::Host)?;
    host.extend(unescape(&text[zone + 1..close], UrlPart::Zone)?);
    host.extend(unescape(&text[close..], UrlPart::Host)?);
    Some(host)
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn unescape(text: &[u8], part: UrlPart) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            if matches!(part, UrlPart::Host | UrlPart::Zone) && byte < 0x80 && must_escape(byte, part) {
                return None;
            }
            out.push(byte);
            continue;
        }
        let (high, low) = (nibble(*rest.first()?)?, nibble(*rest.get(1)?)?);
        let plain = high << 4 | low;
        // A host's percent signs are for what is not ASCII, a zone's for what must be escaped there.
        if part == UrlPart::Host && high < 8 && plain != b'%' {
            return None;
        }
        if part == UrlPart::Zone && plain != b'%' && plain != b' ' && must_escape(plain, UrlPart::Host) {
            return None;
        }
        out.push(plain);
        rest = &rest[2..];
    }
    Some(out)
}

fn escape(text: &[u8], part: UrlPart, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if must_escape(byte, part) {
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        } else {
            out.push(byte);
        }
    }
}

fn must_escape(byte: u8, part: UrlPart) -> bool {
    match byte {
        byte if byte.is_ascii_alphanumeric() => false,
        b'-' | b'_' | b'.' | b'~' => false,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'[' | b']'
        | b'<' | b'>' | b'"'
            if matches!(part, UrlPart::Host | UrlPart::Zone) =>
        {
            false
        }
        b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' => match part {
            UrlPart::Path => byte == b'?',
            UrlPart::User => matches!(byte, b'@' | b'/' | b'?' | b':'),
            UrlPart::Fragment => false,
            UrlPart::Host | UrlPart::Zone => true,
        },
        b'!' | b'(' | b')' | b'*' => part != UrlPart::Fragment,
        _ => true,
    }
}
