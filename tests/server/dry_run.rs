//! `leasehold init --dry-run`: what would change, and that nothing does.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{CANARY, Finished, SOON, Stage, wait_until};
use serde_json::json;

const FILES: &str = "\
files:
- {path: password, secret: 'secret/web#password'}
- {path: sub/other, secret: 'secret/web#other'}
- {path: /SPACE/alone/api-key, secret: 'secret/web#password', mode: '0400'}
";

const CERTIFICATE: &str = "\
- path: cert
  template: '{{ with secret \"pki/issue/web\" \"common_name=web.test\" }}{{ .Data.certificate }}{{ end }}'
";

struct Rehearsal {
    stage: Stage,
}

impl Rehearsal {
    fn new() -> Self {
        let stage = Stage::new();
        stage.put(json!({ "password": CANARY, "other": "two" }));
        Self { stage }
    }

    fn config(&self, files: &str) -> String {
        self.stage.config(&files.replace("/SPACE", &self.stage.space.path().display().to_string()))
    }

    fn run(&self, files: &str) -> Finished {
        self.stage.run(&["init", "--dry-run"], &self.config(files))
    }

    /// What is said of each file, one space between words.
    fn says(&self, files: &str) -> Vec<String> {
        let finished = self.run(files).expect_code(0);
        finished.assert_silent_about(CANARY);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines = finished.stdout.lines().map(words).filter(|line| !line.is_empty());
        lines.map(|line| line.replace(&self.stage.space.path().display().to_string(), "/SPACE")).collect()
    }
}

/// The folders of dry runs that have ended. One that runs beside this test has a process, or removes its folder before it
/// ends.
fn left_behind() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev/shm").expect("a tmpfs");
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let ended = folders.filter(|folder| {
        let name = folder.file_name().and_then(OsStr::to_str);
        name.and_then(|name| name.strip_prefix("leasehold-dry-run-"))
            .is_some_and(|process| !Path::new("/proc").join(process).exists())
    });
    ended.filter(|folder| folder.exists()).collect()
}

#[test]
fn a_dry_run_says_what_would_be_new_changed_and_removed_and_does_nothing() {
    let it = Rehearsal::new();
    let head = "FILE INIT WOULD MAKE IT";
    let said = it.says(FILES);
    assert_eq!(
        said,
        [
            head,
            "password new",
            "sub/other new",
            "/SPACE/alone/api-key new",
            "3 of 3 files would change; nothing was changed"
        ]
    );
    assert_eq!(it.stage.published(), [""; 0]);
    assert!(!it.stage.space.join("alone").exists() && !it.stage.space.join("handoff/state").exists());
    it.stage.assert_nothing_left();

    it.stage.init(&it.config(FILES)).expect_code(0);
    let left = it.stage.server.accessors().len();
    let unchanged = it.says(FILES);
    assert_eq!(
        unchanged[1..],
        [
            "password unchanged",
            "sub/other unchanged",
            "/SPACE/alone/api-key unchanged",
            "0 of 3 files would change; nothing was changed"
        ]
    );

    it.stage.put(json!({ "password": format!("{CANARY}-two"), "other": "two" }));
    let less =
        FILES.replace("- {path: sub/other, secret: 'secret/web#other'}\n", "").replace("'0400'", "'0440'");
    let said = it.says(&(less + CERTIFICATE));
    assert_eq!(
        said[1..],
        [
            "password changed: content",
            "/SPACE/alone/api-key changed: content, mode 0400 to 0440",
            "cert new",
            "sub/other removed",
            "4 of 4 files would change; nothing was changed",
        ]
    );
    // The certificate's lease and the token are revoked; init's own are not touched.
    wait_until("token and lease to be gone", SOON, || {
        it.stage.server.accessors().len() == left && it.stage.server.leases("pki/").is_empty()
    });
    assert_eq!(it.stage.read("password").as_deref(), Some(CANARY));
    assert_eq!(left_behind(), [""; 0].map(PathBuf::from));
}

#[test]
fn what_a_dry_run_cannot_render_ends_as_init_does_and_leaves_nothing() {
    let it = Rehearsal::new();
    let missing = FILES.replace("secret/web#other", "secret/absent#other");
    let ended = it.run(&missing).expect_code(66);
    assert!(ended.last_line().contains("secret/absent"), "{}", ended.stderr);
    let ended = it.run(&format!("{FILES}write_to_file: [/SPACE/written]\n")).expect_code(78);
    assert!(ended.last_line().contains("--dry-run is not possible here"), "{}", ended.stderr);
    assert_eq!(left_behind(), [""; 0].map(PathBuf::from));
    it.stage.assert_nothing_left();
}
