//! `camelcase`, `snakecase`, `kebabcase`: names in the spelling of another language.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::buffer::Buffer;
use crate::eval::Scope;
use crate::function::Function;
use crate::functions::arg::{Answer, text, written};
use crate::functions::cases;
use crate::functions::text::is_space;
use crate::spell::rune;
use crate::value::{Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_camelcase", &[Type::String], camel_case).returns(Type::String),
    Function::new("sprig_kebabcase", &[Type::String], |scope, args| separated(scope, args, '-'))
        .returns(Type::String),
    Function::new("sprig_snakecase", &[Type::String], |scope, args| separated(scope, args, '_'))
        .returns(Type::String),
];

/// Returns whether a character stands between words.
fn is_connector(rune: char) -> bool {
    rune == '-' || rune == '_' || is_space(rune)
}

fn is_upper(rune: char) -> bool {
    rune.general_category() == GeneralCategory::UppercaseLetter
}

/// Returns whether a character is a letter of a script that has words of letters. A Chinese character is not.
fn is_alphabetic(rune: char) -> bool {
    let ideograph =
        matches!(rune, '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}');
    cases::is_letter(rune) && !ideograph
}

fn push(out: &mut Buffer, rune: char) {
    out.push(rune.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Writes a name with a capital at the beginning of every word, and without the connector before the word. The
/// connectors before the first word and behind the last stay. If several connectors stand between two words, only the
/// last is left out.
fn camel_case(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        let mut runes = rune::runes(text(args, 0)).map(|(_, rune, _)| rune);
        let mut last = None;
        for rune in runes.by_ref() {
            last = Some(rune);
            if !is_connector(rune) {
                last = Some(cases::upper(rune));
                break;
            }
            push(out, rune);
        }
        let Some(mut last) = last else { return Ok(()) };
        for rune in runes {
            match (is_connector(last), is_connector(rune)) {
                (true, false) => last = cases::upper(rune),
                (_, _) => {
                    push(out, last);
                    last = rune;
                }
            }
        }
        // A name of connectors alone has the last one twice, as in Sprig.
        push(out, last);
        Ok(())
    })
}

/// What a piece of a name is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    /// Nothing more, or no characters.
    Invalid,
    Number,
    /// A capital and what goes with it.
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

fn kind_of(rune: char) -> KeyKind {
    match rune.general_category_group() {
        _ if is_connector(rune) => KeyKind::Connector,
        GeneralCategoryGroup::Punctuation => KeyKind::Punctuation,
        _ if is_upper(rune) => KeyKind::Upper,
        _ if is_alphabetic(rune) => KeyKind::Alphabet,
        GeneralCategoryGroup::Number => KeyKind::Number,
        _ => KeyKind::Other,
    }
}

/// Returns the next character of `text` and where it ends. Bytes that are no character belong to the next one. At the
/// end of the text, they count as `before`, the character that came before them.
fn next_rune(text: &[u8], before: char) -> (char, usize) {
    let mut size = 0;
    while size < text.len() {
        let (rune, length) = rune::decode(&text[size..]);
        size += length;
        if rune != rune::REPLACEMENT {
            return (rune, size);
        }
    }
    (before, size)
}

/// A piece of a name, and what follows it.
struct Piece<'t> {
    kind: KeyKind,
    word: &'t [u8],
    rest: &'t [u8],
}

impl<'t> Piece<'t> {
    /// Returns the first piece of `text`.
    fn of(text: &'t [u8]) -> Self {
        let (rune, size) = next_rune(text, rune::REPLACEMENT);
        if rune == rune::REPLACEMENT {
            return Self::cut(KeyKind::Invalid, text, size);
        }
        let kind = kind_of(rune);
        let end = match kind {
            KeyKind::Upper => Self::end_of_upper(text, rune, size),
            KeyKind::Alphabet => Self::end(text, rune, size, |rune| is_alphabetic(rune) && !is_upper(rune)).0,
            KeyKind::Other => {
                Self::end(text, rune, size, |rune| {
                    kind_of(rune) == KeyKind::Other || is_upper(rune) && !is_alphabetic(rune)
                })
                .0
            }
            KeyKind::Number => {
                let number = |rune: char| rune.general_category_group() == GeneralCategoryGroup::Number;
                Self::end(text, rune, size, number).0
            }
            kind => Self::end(text, rune, size, |rune| kind_of(rune) == kind).0,
        };
        Self::cut(kind, text, end)
    }

    fn cut(kind: KeyKind, text: &'t [u8], end: usize) -> Self {
        let (word, rest) = text.split_at(end);
        Self { kind, word, rest }
    }

    /// Returns three things about a run of characters that `belongs` accepts: where it ends, the length of its last
    /// character, and the character that follows.
    fn end(
        text: &[u8],
        mut rune: char,
        mut end: usize,
        belongs: impl Fn(char) -> bool,
    ) -> (usize, usize, Option<char>) {
        let mut last = end;
        while end < text.len() {
            let (next, size) = next_rune(&text[end..], rune);
            rune = next;
            if !belongs(next) {
                return (end, last, Some(next));
            }
            end += size;
            last = size;
        }
        (end, last, None)
    }

    /// Returns where a piece that begins with a capital ends: behind `Status`, or behind `HTTP` in `HTTPStatus`, where
    /// the `S` begins the next piece.
    fn end_of_upper(text: &[u8], rune: char, size: usize) -> usize {
        let (capitals, last, next) = Self::end(text, rune, size, is_upper);
        if capitals == size {
            return Self::end(text, rune, size, |rune| is_alphabetic(rune) && !is_upper(rune)).0;
        }
        match next {
            Some(next) if is_alphabetic(next) => capitals - last,
            _ => capitals,
        }
    }
}

/// Writes the words of a name in lower case, with `connector` where a word begins.
fn separated(scope: &mut Scope<'_, '_>, args: &[Value], connector: char) -> Answer {
    written(scope, |out| {
        let mut piece = Piece::of(text(args, 0));
        while !piece.rest.is_empty() {
            if piece.kind != KeyKind::Connector {
                lower(out, &piece, connector);
            }
            let before = piece;
            piece = Piece::of(before.rest);
            match before.kind {
                KeyKind::Number => piece = behind_number(out, piece, connector),
                KeyKind::Connector => lower(out, &before, connector),
                KeyKind::Punctuation => {}
                _ if piece.kind != KeyKind::Number => {
                    if !matches!(piece.kind, KeyKind::Connector | KeyKind::Punctuation) {
                        push(out, connector);
                    }
                }
                _ if piece.rest.is_empty() => {}
                _ => piece = number_in_name(out, piece, connector),
            }
        }
        lower(out, &piece, connector);
        Ok(())
    })
}

/// Writes the letters and digits behind a number, which belong to it (`20x`). Returns the piece behind them.
fn behind_number<'t>(out: &mut Buffer, mut piece: Piece<'t>, connector: char) -> Piece<'t> {
    while matches!(piece.kind, KeyKind::Alphabet | KeyKind::Number) {
        lower(out, &piece, connector);
        piece = Piece::of(piece.rest);
    }
    if !matches!(piece.kind, KeyKind::Invalid | KeyKind::Punctuation | KeyKind::Connector) {
        push(out, connector);
    }
    piece
}

/// Writes a number within a name, and returns the piece that is next. The number belongs to the word before it
/// (`Bld4Floor`). With small letters behind it, the number is a word of its own, together with these letters
/// (`HTTP2xx`).
fn number_in_name<'t>(out: &mut Buffer, number: Piece<'t>, connector: char) -> Piece<'t> {
    let piece = Piece::of(number.rest);
    if piece.kind == KeyKind::Alphabet {
        push(out, connector);
        lower(out, &number, connector);
        return behind_number(out, piece, connector);
    }
    lower(out, &number, connector);
    if !matches!(piece.kind, KeyKind::Connector | KeyKind::Punctuation) {
        push(out, connector);
    }
    piece
}

/// Writes a piece in lower case, with `connector` for its connectors. Only capitals and connectors change. The rest
/// stays as it is, byte for byte.
fn lower(out: &mut Buffer, piece: &Piece<'_>, connector: char) {
    if !matches!(piece.kind, KeyKind::Upper | KeyKind::Connector) {
        return out.push(piece.word);
    }
    for (_, rune, _) in rune::runes(piece.word) {
        push(
            out,
            if is_connector(rune) {
                connector
            } else if is_upper(rune) {
                cases::lower(rune)
            } else {
                rune
            },
        );
    }
}
