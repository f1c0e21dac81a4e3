//! Colours, for people at a terminal who did not switch them off.

use std::env;

/// The meaning of a text, which its colour shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Nothing by its colour.
    Plain,
    /// It is as it should be.
    Good,
    /// It is not as it should be, and still good for a while.
    Doubtful,
    /// It is not as it should be.
    Bad,
    /// It is less important than the rest.
    Faint,
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette(bool);

impl Palette {
    /// The palette without colours.
    pub const PLAIN: Self = Self(false);

    /// Returns the palette for a stream that is a terminal or not. `NO_COLOR` with any value, or a dumb terminal,
    /// means no colours.
    #[must_use]
    pub fn of(terminal: bool) -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(terminal && !unwanted && env::var_os("TERM").is_none_or(|term| term != "dumb"))
    }

    /// Returns the text in its colour.
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
