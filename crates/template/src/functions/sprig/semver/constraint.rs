//! What may be asked of a version: `^1.2`, `>=1.0, <2`, `1.x || 3 - 4`.

use super::Version;

/// Groups of which one must hold, each of constraints that must all hold.
pub(super) struct Constraints(Vec<Vec<Constraint>>);

struct Constraint {
    operator: Operator,
    version: Version,
    /// How many of the version's three numbers are given, rather than left out or `x`.
    given: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    AtLeast,
    AtMost,
    Tilde,
    Caret,
}

impl Constraints {
    /// Reads the constraints in `text`; `None` if one of them is invalid.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.split("||").map(group).collect::<Option<_>>().map(Self)
    }

    pub(super) fn allow(&self, version: &Version) -> bool {
        self.0.iter().any(|group| {
            // A prerelease in one constraint of a group makes all of them compare prereleases.
            let wanted = group.iter().any(|constraint| !constraint.version.pre.is_empty());
            (version.pre.is_empty() || wanted) && group.iter().all(|constraint| constraint.holds(version))
        })
    }
}

/// Parses constraints with spaces or commas between them. `a - b` is two constraints.
fn group(text: &str) -> Option<Vec<Constraint>> {
    let mut constraints = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (operator, behind) = operator(rest)?;
        let (version, behind) = word(behind.trim_start());
        let spaced = behind.trim_start();
        let range = spaced.strip_prefix('-').filter(|_| spaced.len() < behind.len());
        rest = match range.filter(|upper| upper.starts_with(char::is_whitespace)) {
            Some(upper) if operator.is_none() => {
                let (upper, behind) = word(upper.trim_start());
                constraints.push(Constraint::new(Operator::AtLeast, version)?);
                constraints.push(Constraint::new(Operator::AtMost, upper)?);
                behind.trim_start()
            }
            _ => {
                constraints.push(Constraint::new(operator.unwrap_or(Operator::Equal), version)?);
                spaced
            }
        };
        rest = match rest.strip_prefix(',') {
            Some(behind) => behind.trim_start(),
            None if rest.is_empty() => return Some(constraints),
            None => rest,
        };
    }
}

/// Returns the operator at the start of `text`, if there is one, and what is behind it.
fn operator(text: &str) -> Option<(Option<Operator>, &str)> {
    let behind = text.trim_start_matches(['=', '!', '<', '>', '~', '^']);
    let operator = match &text[..text.len() - behind.len()] {
        "" => None,
        "=" => Some(Operator::Equal),
        "!=" => Some(Operator::NotEqual),
        ">" => Some(Operator::Greater),
        "<" => Some(Operator::Less),
        ">=" | "=>" => Some(Operator::AtLeast),
        "<=" | "=<" => Some(Operator::AtMost),
        "~" | "~>" => Some(Operator::Tilde),
        "^" => Some(Operator::Caret),
        _ => return None,
    };
    Some((operator, behind))
}

/// Returns all up to a space or a comma, and the rest.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|sign: char| sign == ',' || sign.is_whitespace()).unwrap_or(text.len()))
}

impl Constraint {
    fn new(operator: Operator, text: &str) -> Option<Self> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (numbers, suffix) = bare.split_at(bare.find(['-', '+']).unwrap_or(bare.len()));
        let parts: Vec<&str> = numbers.split('.').collect();
        let given = parts.iter().position(|part| matches!(*part, "x" | "X" | "*")).unwrap_or(parts.len());
        let sound = |part: &&str| matches!(*part, "x" | "X" | "*") || part.parse::<u64>().is_ok();
        if parts.len() > 3 || !parts.iter().all(sound) {
            return None;
        }
        // What is left out or `x`, and all behind it, is nothing.
        let known = parts.iter().take(given).copied();
        let filled: Vec<&str> = known.chain(std::iter::repeat("0")).take(3).collect();
        let version = Version::parse(&format!("{}{suffix}", filled.join(".")))?;
        Some(Self { operator, version, given })
    }

    /// Returns whether the constraint holds for a version that may be compared with it.
    fn holds(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        let [major, minor, patch] = version.numbers;
        let [own_major, own_minor, own_patch] = self.version.numbers;
        match self.operator {
            Operator::Equal if self.given == 3 => order.is_eq(),
            Operator::Equal | Operator::Tilde => {
                let any = self.version.numbers == [0; 3] && matches!(self.given, 0 | 3);
                order.is_ge() && (any || major == own_major && (self.given == 1 || minor == own_minor))
            }
            Operator::NotEqual => match self.given {
                1 => major != own_major,
                2 => (major, minor) != (own_major, own_minor) || version.pre != self.version.pre,
                _ => order.is_ne(),
            },
            Operator::Greater => match self.given {
                1 => major > own_major,
                2 => (major, minor) > (own_major, own_minor),
                _ => order.is_gt(),
            },
            Operator::Less => order.is_lt(),
            Operator::AtLeast => order.is_ge(),
            Operator::AtMost => match self.given {
                3 => order.is_le(),
                1 => major <= own_major,
                _ => (major, minor) <= (own_major, own_minor),
            },
            Operator::Caret if order.is_lt() => false,
            Operator::Caret if own_major > 0 || self.given == 1 => major == own_major,
            Operator::Caret if own_minor > 0 || self.given == 2 => (major, minor) == (0, own_minor),
            Operator::Caret => (major, minor, patch) == (0, 0, own_patch),
        }
    }
}
