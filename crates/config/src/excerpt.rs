//! The line that a problem stands on, without what may be a credential.

use super::mark::Mark;
use super::places::Span;
use super::problem::Excerpt;

/// The number of characters of a long line that are shown on each side of the place.
const AROUND: usize = 100;

/// Returns the line of `mark` with its values replaced by `…`, because they may be credentials. If `reveal` is set,
/// the value at `mark` is shown. `scalars` are those of `text`, in its order.
pub(super) fn excerpt(text: &str, scalars: &[Span], mark: Mark, reveal: bool) -> Option<Excerpt> {
    let line = text.lines().nth(mark.line - 1)?;
    let mut copy = Copy::new(line, mark.column);
    let (first, end) = (copy.first, copy.end());
    // A block's span ends at the start of the line behind it, so that is before column 1.
    let from = scalars.partition_point(|span| (span.end.line, span.end.column) <= (mark.line, first));
    let mut column = first;
    for span in &scalars[from..] {
        if (span.start.line, span.start.column) >= (mark.line, end) {
            break;
        }
        let starts = if span.start.line == mark.line { span.start.column } else { 1 };
        let ends = if span.end.line == mark.line { span.end.column } else { end };
        let whole = starts >= first && ends <= end;
        let (starts, ends) = (starts.max(first), ends.min(end));
        copy.show(column..starts);
        let meant = reveal && whole && (starts..ends.max(starts + 1)).contains(&mark.column);
        if span.key || meant && !copy.has_user(starts..ends) {
            copy.show(starts..ends);
        } else {
            copy.hide(starts..ends);
        }
        column = ends;
    }
    copy.show_up_to_comment(column);
    Some(copy.shown)
}

/// A line on its way into an excerpt.
struct Copy {
    /// The characters near the place.
    line: Vec<char>,
    /// The column of its first character, from 1.
    first: usize,
    /// The column that is meant.
    caret: usize,
    shown: Excerpt,
}

impl Copy {
    fn new(line: &str, caret: usize) -> Self {
        let first = caret.saturating_sub(AROUND).max(1);
        let line = line.chars().skip(first - 1).take(2 * AROUND).collect();
        let text = if first > 1 { "…".to_owned() } else { String::new() };
        Self { line, first, caret, shown: Excerpt { text, caret: 0 } }
    }

    /// Returns the column behind the last.
    fn end(&self) -> usize {
        self.first + self.line.len()
    }

    fn part(&self, columns: std::ops::Range<usize>) -> &[char] {
        self.line.get(columns.start - self.first..columns.end - self.first).unwrap_or_default()
    }

    /// Returns whether this may be a URL with a user in it, whichever key holds it.
    fn has_user(&self, columns: std::ops::Range<usize>) -> bool {
        self.part(columns).contains(&'@')
    }

    fn show(&mut self, columns: std::ops::Range<usize>) {
        for column in columns {
            self.meet(column);
            let next = self.line.get(column - self.first).copied();
            self.shown.text.extend(next);
        }
    }

    fn hide(&mut self, columns: std::ops::Range<usize>) {
        if !columns.is_empty() {
            if columns.contains(&self.caret) {
                self.meet(self.caret);
            }
            self.shown.text.push('…');
        }
    }

    /// Shows the rest of the line up to a comment. The rest may be brackets, and a comment may be anything.
    fn show_up_to_comment(&mut self, column: usize) {
        let end = self.end();
        let comment = self.part(column.min(end)..end).iter().position(|c| *c == '#');
        self.show(column..comment.map_or(end, |at| column + at));
        self.meet_end();
        self.shown.text.truncate(self.shown.text.trim_end().len());
    }

    fn meet(&mut self, column: usize) {
        if column == self.caret {
            self.shown.caret = self.shown.text.chars().count();
        }
    }

    /// Moves the caret to the end if the place is behind the last character: something is missing there.
    fn meet_end(&mut self) {
        if self.caret >= self.end() {
            self.shown.caret = self.shown.text.chars().count();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn shown(text: &str, line: usize, column: usize, reveal: bool) -> (String, usize) {
        let (marks, _) = yaml::read(text).expect("valid YAML");
        let excerpt = excerpt(text, &marks.scalars, Mark { line, column }, reveal).expect("a line");
        (excerpt.text, excerpt.caret)
    }

    #[test]
    fn only_what_is_meant_is_shown() {
        let text = "{role: hunter2, mode: '0999'} # hunter2\n";
        assert_eq!(shown(text, 1, 23, true), ("{role: …, mode: '0999'}".into(), 16));
        assert_eq!(shown(text, 1, 23, false), ("{role: …, mode: …}".into(), 16));
        assert_eq!(shown(text, 1, 17, true), ("{role: …, mode: …}".into(), 10));
        assert_eq!(shown("a: http://u:p@h\n", 1, 4, true), ("a: …".into(), 3));
    }

    #[test]
    fn a_line_of_a_block_is_shown_only_where_it_is_meant() {
        let text = "a: |\n  {{ secert }}\n  more\nb: x\n";
        assert_eq!(shown(text, 2, 6, true), ("  {{ secert }}".into(), 5));
        assert_eq!(shown(text, 2, 6, false), ("…".into(), 0));
        assert_eq!(shown(text, 4, 4, true), ("b: x".into(), 3));
    }

    #[test]
    fn of_a_long_line_only_the_surroundings_are_shown() {
        let text = format!("[{}oops, {}]\n", "aaaa, ".repeat(1000), "bbbb, ".repeat(1000));
        let (line, caret) = shown(&text, 1, 6002, true);
        assert!(line.chars().count() < 2 * AROUND + 10, "{line}");
        assert_eq!(line.chars().nth(caret), Some('o'), "{line}");
    }
}
