//! Templates of others, which find their values below the dot, around our function `secret`.

use leasehold::template::Profile;
use serde_json::json;

/// A secret that a template reads: what is put below the dot.
#[derive(Debug)]
pub(super) struct Read {
    /// As `secret` takes it, with arguments behind the path: `"pki/issue/web" "ttl=1h"`.
    pub(super) arguments: String,
    /// Each name below the dot, and its field of the answer, such as `.Data.data`.
    pub(super) entries: Vec<(String, String)>,
}

/// Writes a text as a literal of a template. Go and JSON write such a literal in the same way.
pub(super) fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// Returns the expression of the answer's fields, or of the field `path` among them if `path` is not empty.
pub(super) fn field(versioned: bool, path: &str) -> String {
    let root = if versioned { ".Data.data" } else { ".Data" };
    let mut chain = root.to_owned();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        if part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !part.as_bytes()[0].is_ascii_digit()
        {
            chain = format!("{chain}.{part}");
        } else {
            return format!("(index {chain} {})", quoted(part));
        }
    }
    chain
}

/// Puts a template of another operator around what it reads, and gives its functions the names that they have here.
///
/// # Errors
/// Says what in it has no equivalent.
pub(super) fn wrap(body: &str, reads: &[Read]) -> Result<String, String> {
    let (mut head, mut tail, mut pairs) = (String::new(), String::new(), Vec::new());
    for (at, read) in reads.iter().enumerate() {
        head.push_str(&format!("{{{{ with $s{at} := secret {} }}}}", read.arguments));
        tail.push_str("{{ end }}");
        for (name, field) in &read.entries {
            let field = field.replacen(".Data", &format!("$s{at}.Data"), 1);
            pairs.push(format!("{} {field}", quoted(name)));
        }
    }
    let text = format!("{head}{{{{ with sprig_dict {} }}}}{body}{{{{ end }}}}{tail}", pairs.join(" "));
    named(text)
}

/// Gives functions of Sprig the names that they have here.
fn named(mut text: String) -> Result<String, String> {
    // Each round names one function.
    for _ in 0..100 {
        let error = match Profile::pure().parse("template", text.as_bytes(), None) {
            Ok(_) => return Ok(text),
            Err(error) => error.message,
        };
        let missing =
            error.strip_prefix("function \"").and_then(|rest| rest.split_once('"')).map(|(name, _)| name);
        let Some(name) = missing else { return Err(error) };
        let ours = format!("sprig_{name}");
        if name.starts_with("sprig_") || Profile::pure().functions().get(&ours).is_none() {
            return Err(format!("there is no function {name} here"));
        }
        text = renamed(&text, name, &ours);
    }
    Err("it has too many functions".to_owned())
}

/// Renames a function wherever an action calls it: not in a text, and not where a field or a variable is called so.
fn renamed(text: &str, from: &str, to: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(start) = rest.find("{{") {
        let end = rest[start..].find("}}").map_or(rest.len(), |end| start + end);
        out.push_str(&rest[..start]);
        out.push_str(&renamed_in_action(&rest[start..end], from, to));
        rest = &rest[end..];
    }
    out + rest
}

fn renamed_in_action(action: &str, from: &str, to: &str) -> String {
    let (mut out, mut quote, mut word) = (String::new(), None, String::new());
    let mut before = ' ';
    let flush = |word: &mut String, before: char, out: &mut String| {
        let is_call = word == from && !matches!(before, '.' | '$');
        out.push_str(if is_call { to } else { word });
        word.clear();
    };
    let mut escaped = false;
    for letter in action.chars() {
        if quote.is_none() && (letter.is_alphanumeric() || letter == '_') {
            word.push(letter);
            continue;
        }
        flush(&mut word, before, &mut out);
        out.push(letter);
        before = letter;
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if letter == '\\' => escaped = true,
            Some(open) if letter == open => quote = None,
            None if matches!(letter, '"' | '`') => quote = Some(letter),
            _ => {}
        }
    }
    flush(&mut word, before, &mut out);
    out
}
