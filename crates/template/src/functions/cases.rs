//! Upper, lower and title case, as Go's `unicode` package maps them: each rune to one rune.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::text::is_space;
use crate::buffer::Buffer;
use crate::spell::rune;

/// Returns a rune in upper case, as Go's `unicode.ToUpper` does.
pub(super) fn upper(rune: char) -> char {
    match rune {
        // Greek with iota below: the full mapping has two letters, the simple one the title form.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => shifted(rune, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(rune, 9),
        _ => single(rune.to_uppercase(), rune),
    }
}

/// Returns a rune in lower case, as Go's `unicode.ToLower` does.
pub(super) fn lower(rune: char) -> char {
    // The full mapping of U+0130 is an i with a dot above; the simple one is the i.
    if rune == '\u{130}' { 'i' } else { single(rune.to_lowercase(), rune) }
}

/// Returns a rune in title case, as Go's `unicode.ToTitle` does.
pub(super) fn title(rune: char) -> char {
    match rune {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        // Georgian has capitals, but titles do not begin with them.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => rune,
        _ => upper(rune),
    }
}

fn shifted(rune: char, by: u32) -> char {
    char::from_u32(u32::from(rune) + by).unwrap_or(rune)
}

fn single(mut mapped: impl ExactSizeIterator<Item = char>, rune: char) -> char {
    if mapped.len() == 1 { mapped.next().unwrap_or(rune) } else { rune }
}

/// Returns whether a rune is a letter, as Go's `unicode.IsLetter` does.
pub(super) fn is_letter(rune: char) -> bool {
    rune.general_category_group() == GeneralCategoryGroup::Letter
}

/// Returns whether a rune is a digit, as Go's `unicode.IsDigit` does.
pub(super) fn is_digit(rune: char) -> bool {
    rune.general_category() == GeneralCategory::DecimalNumber
}

fn is_cased(rune: char) -> bool {
    rune.is_lowercase() || rune.is_uppercase() || rune.general_category() == GeneralCategory::TitlecaseLetter
}

/// Writes a text as `cases.Title(language.Und, cases.NoLower)` does: the first cased letter of every word in title
/// case, and the others as they are. A word goes on over marks, digits and one mid-word sign (`don't`, `a.b`).
pub(super) fn title_words(text: &[u8], out: &mut Buffer) {
    let mut in_word = false;
    let mut after_mid = false;
    for (at, rune, size) in rune::runes(text) {
        let mid = is_mid_word(rune);
        if after_mid && mid {
            in_word = false;
        }
        if is_cased(rune) {
            if in_word {
                out.push(&text[at..at + size]);
            } else {
                push_title(rune, out);
            }
            in_word = true;
        } else {
            out.push(&text[at..at + size]);
            in_word = in_word && !is_break(rune);
        }
        after_mid = mid;
    }
}

/// Writes a rune by the full title mapping: `ß` begins a word as `Ss`.
fn push_title(rune: char, out: &mut Buffer) {
    let mapped = rune.to_uppercase();
    if mapped.len() == 1 || title(rune) != rune {
        return out.push(title(rune).encode_utf8(&mut [0; 4]).as_bytes());
    }
    let mut after_capital = false;
    for part in mapped {
        let shown = if after_capital { lower(part) } else { part };
        out.push(shown.encode_utf8(&mut [0; 4]).as_bytes());
        after_capital |= part.is_uppercase();
    }
}

/// Returns whether a sign may stand inside a word: one of Unicode's MidLetter and MidNumLet, or a single quote.
const fn is_mid_word(rune: char) -> bool {
    matches!(
        rune,
        '\'' | '.'
            | ':'
            | '\u{b7}'
            | '\u{387}'
            | '\u{55f}'
            | '\u{5f4}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{2024}'
            | '\u{2027}'
            | '\u{fe13}'
            | '\u{fe52}'
            | '\u{fe55}'
            | '\u{ff07}'
            | '\u{ff0e}'
            | '\u{ff1a}'
    )
}

/// Returns whether a rune without case ends a word.
fn is_break(rune: char) -> bool {
    // The Hebrew geresh is punctuation that Unicode counts among the letters.
    if is_mid_word(rune) || matches!(rune, '_' | '\u{5f3}') {
        return false;
    }
    match rune.general_category_group() {
        GeneralCategoryGroup::Mark => false,
        GeneralCategoryGroup::Letter => is_ideographic(rune),
        GeneralCategoryGroup::Number => rune.general_category() != GeneralCategory::DecimalNumber,
        _ => match rune.general_category() {
            GeneralCategory::Format => rune == '\u{200b}',
            category => category != GeneralCategory::ConnectorPunctuation,
        },
    }
}

/// Returns whether a rune is of a script that is written without spaces. The letters of these scripts are words of
/// their own.
const fn is_ideographic(rune: char) -> bool {
    matches!(rune, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Writes a text as Go's `strings.Title` does: every letter after a separator in title case. A separator is a space or,
/// in ASCII, any character that is neither a letter, a digit nor `_`.
pub(super) fn title_letters(text: &[u8], out: &mut Buffer) {
    let mut after_separator = true;
    for (_, rune, _) in rune::runes(text) {
        let mapped = if after_separator { title(rune) } else { rune };
        out.push(mapped.encode_utf8(&mut [0; 4]).as_bytes());
        after_separator = if rune.is_ascii() {
            !rune.is_ascii_alphanumeric() && rune != '_'
        } else {
            !is_letter(rune) && !is_digit(rune) && is_space(rune)
        };
    }
}
