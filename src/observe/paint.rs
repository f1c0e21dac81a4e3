//! Colours, for people at a terminal who did not say that they want none.

use std::env;

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Nothing by its colour.
    Plain,
    /// As it should be.
    Good,
    /// Not as it should be, and good for a while.
    Doubtful,
    /// Not as it should be.
    Bad,
    /// Less important than the rest.
    Faint,
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette(bool);

impl Palette {
    /// Without colours.
    pub const PLAIN: Self = Self(false);

    /// For a stream that is a terminal or not. `NO_COLOR` with any value, and a dumb terminal, mean
    /// none.
    #[must_use]
    pub fn of(terminal: bool) -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(terminal && !unwanted && env::var_os("TERM").is_none_or(|term| term != "dumb"))
    }

    /// The text in its colour.
    #[must_use]
    pub fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Good => "32",
            Paint::Doubtful => "33",
            Paint::Bad => "31",
            Paint::Faint => "2",
            Paint::Plain => return text.to_owned(),
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    #[cfg(test)]
    pub(crate) const COLOURED: Self = Self(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_gets_its_colour_back_off() {
        assert_eq!(Palette::COLOURED.paint(Paint::Bad, "no"), "\u{1b}[31mno\u{1b}[0m");
        assert_eq!(Palette::COLOURED.paint(Paint::Plain, "so"), "so");
        assert_eq!(Palette::PLAIN.paint(Paint::Bad, "no"), "no");
        assert_eq!(Palette::of(false), Palette::PLAIN);
    }
}
