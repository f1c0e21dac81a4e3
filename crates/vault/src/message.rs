//! The server's own words, made fit for a log line.

use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

/// The length that is shown, enough for what went wrong; a plugin may put a page of output into an error.
const LONGEST: usize = 300;

/// The values that a quoted message of the server must not contain, should it repeat what it was sent: the
/// credentials of a login, the values of a write. Such a message is withheld as a whole. Cutting values out of a text
/// would miss those that the server escaped or cut.
pub struct Unspoken<'a>(
    /// The values.
    pub Vec<&'a Secret>,
);

/// Shorter values occur in any message by chance.
const TELLING: usize = 6;

impl Unspoken<'_> {
    fn is_in(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.0.iter().any(|secret| {
            let secret = secret.expose();
            secret.len() >= TELLING && text.windows(secret.len()).any(|part| part == secret)
        })
    }
}

/// Returns the texts of the answer's `errors`, or of its `warnings`, where a 404 explains itself. Nothing else of a
/// body is ever quoted.
pub(super) fn of(body: Option<&Tree>, unspoken: &Unspoken<'_>) -> Option<String> {
    let texts = |name| {
        let list = body?.get(name)?.as_list()?;
        joined(list.iter().filter_map(Tree::as_str), unspoken)
    };
    texts("errors").or_else(|| texts("warnings"))
}

/// Returns `texts` in one line, without control characters, cut to [`LONGEST`] bytes.
pub(super) fn joined<'a>(texts: impl Iterator<Item = &'a str>, unspoken: &Unspoken<'_>) -> Option<String> {
    let mut lines = Vec::new();
    for text in texts {
        if unspoken.is_in(text) {
            return Some("its message is withheld, because it repeats what was sent".to_owned());
        }
        lines.push(one_line(text));
    }
    let line = lines.join("; ");
    (!line.is_empty()).then(|| cut(line))
}

/// Turns Go's multi-errors (`1 error occurred:\n\t* permission denied`) into the errors themselves.
fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let line = words.join(" ");
    line.strip_prefix("1 error occurred: * ").unwrap_or(&line).to_owned()
}

fn cut(mut line: String) -> String {
    if line.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str, unspoken: &[&Secret]) -> Option<String> {
        let tree = Tree::from_json(json.as_bytes()).expect("valid JSON");
        of(Some(&tree), &Unspoken(unspoken.to_vec()))
    }

    #[test]
    fn a_message_becomes_one_line() {
        let json =
            r#"{"errors":["1 error occurred:\n\t* permission denied\n\n","and\u001b[31m \u0000more"]}"#;
        assert_eq!(said(json, &[]).as_deref(), Some("permission denied; and [31m more"));
    }

    #[test]
    fn nothing_but_errors_and_warnings_is_quoted() {
        assert_eq!(said(r#"{"data":{"password":"hunter2"},"errors":[]}"#, &[]), None);
        assert_eq!(said(r#"{"errors":"hunter2"}"#, &[]), None);
        assert_eq!(said(r#"{"errors":[{"a":1}],"warnings":["old path"]}"#, &[]).as_deref(), Some("old path"));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = said(&format!(r#"{{"errors":["{}"]}}"#, "ü".repeat(400)), &[]).expect("a message");
        assert!(long.len() <= LONGEST + '…'.len_utf8() && long.ends_with("ü…"));
    }

    #[test]
    fn a_message_that_repeats_a_credential_is_withheld() {
        let jwt = Secret::from("eyJhbGciOi.e30.x");
        let json = r#"{"errors":["cannot parse eyJhbGciOi.e30.x"]}"#;
        let said = said(json, &[&jwt]).expect("a message");
        assert!(!said.contains("eyJ") && said.contains("withheld"));
    }
}
