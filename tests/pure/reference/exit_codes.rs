//! The exit codes.

use leasehold::exit::Cause;

use crate::reference::page::cell;

pub(crate) fn page() -> String {
    let mut page = "# Exit codes

The codes of sysexits.h. The last line on standard error names the cause, the file or path, and what to do;
[errors.md](errors.md) has them all.

| code | means |
| --- | --- |
| 0 | done |
"
    .to_owned();
    for cause in Cause::ALL {
        page.push_str(&format!("| {} | {} |\n", cause.code(), cell(cause.means())));
    }
    page.push_str(
        "
`leasehold exec` ends with the code of its command once that has started, and with 128 + n where signal n ended
it. `leasehold status --ready` and `--live` know 0 and 1 only.
",
    );
    page
}
