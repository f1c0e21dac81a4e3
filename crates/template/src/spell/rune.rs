//! Go's runes: code points out of bytes that need not be UTF-8.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The rune that stands for bytes that are not UTF-8.
pub(crate) const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Returns the first rune and the number of its bytes: 0 at the end, and 1 with U+FFFD if the bytes are not
/// UTF-8.
#[must_use]
pub(crate) fn decode(bytes: &[u8]) -> (char, usize) {
    match bytes.first() {
        None => (REPLACEMENT, 0),
        Some(&byte) if byte < 0x80 => (char::from(byte), 1),
        Some(&byte) => {
            let len = match byte {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => return (REPLACEMENT, 1),
            };
            let text = bytes.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok());
            text.and_then(|text| text.chars().next()).map_or((REPLACEMENT, 1), |rune| (rune, len))
        }
    }
}

/// Returns the number of runes. A byte that is not UTF-8 counts as one.
#[must_use]
pub(crate) fn count(bytes: &[u8]) -> usize {
    runes(bytes).count()
}

/// Returns the runes with their offsets and lengths.
pub(crate) fn runes(bytes: &[u8]) -> impl Iterator<Item = (usize, char, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (rune, size) = decode(&bytes[at..]);
        let start = at;
        at += size;
        (size > 0).then_some((start, rune, size))
    })
}

/// Returns whether Go prints the rune as it is: letters, marks, numbers, punctuation, symbols and the space.
#[must_use]
pub(crate) fn is_print(rune: char) -> bool {
    if rune.is_ascii() {
        return matches!(rune, ' '..='~');
    }
    !matches!(rune.general_category_group(), GeneralCategoryGroup::Separator | GeneralCategoryGroup::Other)
}

/// Returns whether the rune may stand in an identifier.
#[must_use]
pub(crate) fn is_alphanumeric(rune: char) -> bool {
    if rune.is_ascii() {
        return rune == '_' || rune.is_ascii_alphanumeric();
    }
    rune.general_category_group() == GeneralCategoryGroup::Letter
        || rune.general_category() == GeneralCategory::DecimalNumber
}

/// Returns whether the rune is space in a template. No other characters separate.
#[must_use]
pub(crate) const fn is_space(rune: char) -> bool {
    matches!(rune, ' ' | '\t' | '\r' | '\n')
}

/// Returns the rune as `%#U` shows it: `U+0040 '@'`.
#[must_use]
pub(crate) fn name(rune: char) -> String {
    let code = format!("U+{:04X}", u32::from(rune));
    if is_print(rune) { format!("{code} '{rune}'") } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_utf8_are_one_replacement_each() {
        assert_eq!(decode(b"\xff"), (REPLACEMENT, 1));
        assert_eq!(decode(b"\xe2\x82"), (REPLACEMENT, 1));
        assert_eq!(decode("€".as_bytes()), ('€', 3));
        assert_eq!(decode(b""), (REPLACEMENT, 0));
        assert_eq!(count(b"a\xe2\x82b"), 4);
    }

    #[test]
    fn identifiers_are_letters_and_decimal_digits() {
        assert!(is_alphanumeric('é') && is_alphanumeric('٣') && is_alphanumeric('_'));
        assert!(!is_alphanumeric('½') && !is_alphanumeric('Ⅷ') && !is_alphanumeric('\u{301}'));
    }

    #[test]
    fn spaces_other_than_the_plain_one_do_not_print() {
        assert!(is_print(' ') && is_print('\u{301}') && is_print('½'));
        assert!(!is_print('\u{a0}') && !is_print('\u{200b}') && !is_print('\u{7f}'));
    }
}
