//! Integers that have a method `String`: they compute as numbers and print as words.

use super::{IntType, Type, Value};
use crate::function::Function;

/// The months. January is number 1.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The days of the week. Sunday is number 0.
pub(crate) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

static METHODS: [Function; 1] = [Function::new("String", &[], |_, args| match args.first() {
    Some(Value::Int(of, number)) => Ok(Value::text(of.text(*number).unwrap_or_default())),
    _ => Ok(Value::Nil),
})
.returns(Type::String)];

impl IntType {
    /// Returns the result of the method `String` of `number`; `None` if the type has no such method.
    #[must_use]
    pub fn text(self, number: i64) -> Option<String> {
        let (words, index, of) = match self {
            Self::Month => (&MONTHS[..], number.checked_sub(1), "Month"),
            Self::Weekday => (&DAYS[..], Some(number), "Weekday"),
            _ => return None,
        };
        let word = index.and_then(|index| words.get(usize::try_from(index).ok()?));
        Some(word.map_or_else(|| format!("%!{of}({number})"), |&word| word.to_owned()))
    }

    /// Returns the methods of the type.
    #[must_use]
    pub(crate) fn methods(self) -> &'static [Function] {
        if matches!(self, Self::Month | Self::Weekday) { &METHODS } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_word_say_so() {
        assert_eq!(IntType::Month.text(12).as_deref(), Some("December"));
        assert_eq!(IntType::Month.text(0).as_deref(), Some("%!Month(0)"));
        assert_eq!(IntType::Weekday.text(-1).as_deref(), Some("%!Weekday(-1)"));
        assert_eq!(IntType::Int.text(1), None);
    }
}
