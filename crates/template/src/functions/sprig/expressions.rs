//! Regular expressions. The `must…` names fail where the others panic, which is the same here.

use crate::eval::Scope;
use crate::function::Function;
use crate::functions::arg::{Answer, answer, int, or_nothing, text, written};
use crate::functions::expression::expression;
use crate::functions::matching::Search;
use crate::value::{Type, Value};

const TEXT: Type = Type::String;
const TWO: &[Type] = &[TEXT; 2];
const THREE: &[Type] = &[TEXT; 3];
const WITH_COUNT: &[Type] = &[TEXT, TEXT, Type::INT];

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_mustRegexFind", TWO, find).returns(TEXT),
    Function::new("sprig_mustRegexFindAll", WITH_COUNT, find_all).returns(Type::STRINGS),
    Function::new("sprig_mustRegexMatch", TWO, must_match).returns(Type::Bool),
    Function::new("sprig_mustRegexReplaceAll", THREE, replace_all).returns(TEXT),
    Function::new("sprig_mustRegexReplaceAllLiteral", THREE, replace_all_literal).returns(TEXT),
    Function::new("sprig_mustRegexSplit", WITH_COUNT, split).returns(Type::STRINGS),
    Function::new("sprig_regexFind", TWO, find).returns(TEXT),
    Function::new("sprig_regexFindAll", WITH_COUNT, find_all).returns(Type::STRINGS),
    Function::new("sprig_regexMatch", TWO, is_match).returns(Type::Bool),
    Function::new("sprig_regexQuoteMeta", &[TEXT], quote_meta).returns(TEXT),
    Function::new("sprig_regexReplaceAll", THREE, replace_all).returns(TEXT),
    Function::new("sprig_regexReplaceAllLiteral", THREE, replace_all_literal).returns(TEXT),
    Function::new("sprig_regexSplit", WITH_COUNT, split).returns(Type::STRINGS),
];

fn must_match(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let regex = expression(scope, args, 0)?;
    Ok(Value::Bool(Search::new(&regex, text(args, 1)).is_match()))
}

/// Returns whether an expression matches a text; false if it is no expression.
fn is_match(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    must_match(scope, args).or_else(|error| or_nothing(error, Value::Bool(false)))
}

fn find(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let regex = expression(scope, args, 0)?;
    let found = Search::new(&regex, text(args, 1)).first();
    answer(found.map_or(&[], |found| &text(args, 1)[found.span()]))
}

/// Returns how many results are wanted at most. A negative number is no limit.
fn limit(args: &[Value]) -> usize {
    usize::try_from(int(args, 2)).unwrap_or(usize::MAX)
}

/// Returns the first matches of an expression, at most `count`: `regexFindAll expression text count`.
fn find_all(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let regex = expression(scope, args, 0)?;
    let search = Search::new(&regex, text(args, 1));
    let mut found = Vec::new();
    for span in search.all().take(limit(args)).map(|found| found.span()) {
        scope.spend(size_of::<Value>() + span.len())?;
        found.push(text(args, 1)[span].to_vec());
    }
    Ok(if found.is_empty() { Value::NilOf(Type::STRINGS) } else { Value::texts(found) })
}

/// Replaces every match of an expression: `regexReplaceAll expression text replacement`.
fn replace_all(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let regex = expression(scope, args, 0)?;
    written(scope, |out| {
        let search = Search::new(&regex, text(args, 1));
        search.replace(out, |found, out| search.expand(found, text(args, 2), out));
        Ok(())
    })
}

fn replace_all_literal(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let regex = expression(scope, args, 0)?;
    written(scope, |out| {
        Search::new(&regex, text(args, 1)).replace(out, |_, out| out.push(text(args, 2)));
        Ok(())
    })
}

/// Splits a text at the matches of an expression, as Go's `Split` does: `regexSplit expression text count`. An empty
/// match at the very beginning does not split.
fn split(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let regex = expression(scope, args, 0)?;
    let (whole, limit) = (text(args, 1), limit(args));
    if limit == 0 {
        return Ok(Value::NilOf(Type::STRINGS));
    }
    if whole.is_empty() && !text(args, 0).is_empty() {
        return Ok(Value::texts([""]));
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for found in Search::new(&regex, whole).all().take(limit) {
        if parts.len() + 1 == limit {
            break;
        }
        let span = found.span();
        end = span.start;
        if span.end != 0 {
            parts.push(&whole[begin..end]);
        }
        begin = span.end;
    }
    if end != whole.len() {
        parts.push(&whole[begin..]);
    }
    scope.spend(parts.len().saturating_mul(size_of::<Value>()))?;
    Ok(Value::texts(parts.into_iter().map(<[u8]>::to_vec)))
}

fn quote_meta(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        for byte in text(args, 0) {
            if br"\.+*?()|[]{}^$".contains(byte) {
                out.push(b"\\");
            }
            out.push(&[*byte]);
        }
        Ok(())
    })
}
