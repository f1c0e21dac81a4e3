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
it.

`leasehold status` ends with 0 where everything is well and with 1 where anything is not. `refresh`, `quit` and
`log-level` end with 0 once the daemon has understood. All four end with 66 for a name that the daemon does not know, and
with 69 where no daemon answers: it is stopped, hangs, listens elsewhere or does not run, and the last line says which.
`leasehold status --ready` and `--live` know 0 and 1 only.
",
    );
    page
}
