//! The README and the guides are walked: every `sh` block of a page is run as it is printed, in one shell from top to bottom,
//! and what its `text` blocks show is said, in this order. (The guide to a VM is walked in tests/machine/systemd.)
//!
//! `BLESS=1 cargo test --test machine walks::` writes how long the newcomer's path took.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::guide::{STEP, blocks, commands, page, steps};
use crate::support::{
    Child, Leasehold, OpenBao, Postgres, Workspace, free_address, free_port, have, need, repository,
    wait_until,
};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// The newcomer's path.
const FIRST: &str = "docs/guides/first-secret.md";

/// Less the build: the demo alone takes half a minute.
const LIMIT: Duration = Duration::from_secs(150);

/// The guides that take a development server as given.
const ON_A_SERVER: [&str; 2] = ["configuration", "backends"];

/// The server that a page takes as given.
const SERVER: &str = "
export BAO_ADDR=http://127.0.0.1:8200 BAO_TOKEN=only-for-development
bao server -dev -dev-root-token-id=$BAO_TOKEN -dev-listen-address=127.0.0.1:8200 >server.log 2>&1 &
until bao status >/dev/null 2>&1; do sleep 0.1; done
bao kv put secret/web password=correct-horse >/dev/null
";

/// A page on its way: a folder of its own, and the addresses and folders that stand in the place of the page's.
struct Walk {
    space: Workspace,
    places: Vec<(String, String)>,
    _sweep: Sweep,
}

impl Walk {
    fn new() -> Self {
        let space = Workspace::new();
        let sweep = Sweep(space.path().to_owned());
        // The server also listens on the port behind its own, for other servers.
        let server = std::iter::repeat_with(|| (free_port(), free_port()))
            .find(|(first, next)| first + 1 == *next)
            .map(|(first, _)| first)
            .expect("two ports in a row, sooner or later");
        let secrets = space.join("web-secrets").display().to_string();
        let walk = Self { space, places: Vec::new(), _sweep: sweep };
        walk.with("127.0.0.1:8200", &format!("127.0.0.1:{server}"))
            .with("127.0.0.1:9110", &free_address().to_string())
            .with("/dev/shm/web-secrets", &secrets)
    }

    /// `ours` stands in the place of `theirs`.
    fn with(mut self, theirs: &str, ours: &str) -> Self {
        self.places.push((theirs.to_owned(), ours.to_owned()));
        self
    }

    /// The text with this walk's places.
    fn here(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }

    /// Runs a page behind the prologue, and returns what was printed.
    fn run(&self, text: &str, prologue: &str) -> String {
        let programs = [Leasehold::binary().to_owned(), OpenBao::program()];
        let folders: Vec<String> =
            programs.iter().filter_map(|program| Some(program.parent()?.display().to_string())).collect();
        let script = format!(
            "cd '{}'\nexport PATH={}:$PATH\n{prologue}{}",
            self.space.path().display(),
            folders.join(":"),
            commands(text)
        );
        let script = self.space.file("walk.sh", self.here(&script));
        let mut shell = Child::start(Path::new("bash"), "shell", self.space.path(), |command| {
            command.arg(&script).env("HOME", self.space.path());
            for name in ["VAULT_TOKEN", "VAULT_ADDR", "BAO_TOKEN", "BAO_ADDR"] {
                command.env_remove(name);
            }
        });
        let status = shell.wait(LIMIT);
        let said = shell.stdout();
        assert!(status.success(), "{said}{}", shell.stderr());
        self.shows(text, &said);
        said
    }

    /// What the page shows is said, in its order.
    fn shows(&self, text: &str, said: &str) {
        let shown = blocks(text).into_iter().filter(|block| block.language == "text");
        let shown: Vec<String> = shown.flat_map(|block| lines(&self.here(&block.text))).collect();
        let mut rest = lines(said).into_iter();
        for line in shown {
            assert!(rest.any(|said| said == line), "not said, or not in its turn: {line}\n{said}");
        }
    }
}

/// Lines with their words one space apart, as tables are as wide as what is in them; and with one sign for what is another
/// at each run: durations, accessors, and our version.
fn lines(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut words: Vec<&str> =
            line.split_whitespace().map(|word| if is_passing(word) { "#" } else { word }).collect();
        words.dedup();
        words.join(" ")
    };
    text.lines().map(line).collect()
}

fn is_passing(word: &str) -> bool {
    let word = word.trim_end_matches([',', ':']);
    let duration = word.trim_end_matches(|sign: char| sign.is_ascii_lowercase());
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (duration != word && number(duration))
        || (word.len() >= 20 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        || (word.split('.').count() == 3 && word.split('.').all(number))
}

/// The processes whose folder is `folder`, such as a server that a script left behind.
fn processes_in(folder: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("there is a /proc");
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            let cwd = fs::read_link(path.join("cwd")).ok()?;
            cwd.starts_with(folder).then(|| Pid::from_raw(number))
        })
        .collect()
}

/// Ends what a script left running, however the test ends.
struct Sweep(PathBuf);

impl Drop for Sweep {
    fn drop(&mut self) {
        for process in processes_in(&self.0) {
            let _ended = nix::sys::signal::kill(process, Signal::SIGKILL);
        }
    }
}

#[test]
fn the_sixty_seconds_of_the_readme_are_walked_as_printed() {
    let said = Walk::new().run(&page("README.md"), "");
    assert!(said.contains("correct-horse") && said.contains("quitting"), "{said}");
    assert!(!said.contains("battery-staple"), "nothing prints the second password");
}

#[test]
fn guides_on_a_development_server_are_walked_as_printed() {
    for name in ON_A_SERVER {
        let text = page(&format!("docs/guides/{name}.md"));
        Walk::new().run(&text, SERVER);
    }
}

/// The sidecar of the README, with which the chain of the guide to troubles is gone along.
const SIDECAR: &str = "
cat >web.yaml <<'END'
vault: {address: \"http://127.0.0.1:8200\"}
auth: {method: token_file, token_file: web.token}
secrets_dir: /dev/shm/web-secrets
files:
  - {path: password, secret: secret/web#password, refresh: 5s}
listen: 127.0.0.1:9110
END
leasehold policy --config web.yaml | bao policy write web -
(umask 077; bao token create -policy=web -period=1h -field=token >web.token)
leasehold sidecar --config web.yaml 2>web.log &
until leasehold status --ready --config web.yaml 2>/dev/null; do sleep 0.1; done
";

#[test]
fn the_chain_of_troubles_is_gone_along_as_printed() {
    let said = Walk::new().run(&page("docs/guides/troubleshooting.md"), &format!("{SERVER}{SIDECAR}"));
    for link in
        ["good: 1 file", "Sealed", "STATE", "password  unchanged", ": ready", "every file is as it should be"]
    {
        assert!(said.contains(link), "{link}: {said}");
    }
}

#[test]
fn the_guide_to_nginx_is_walked_as_printed() {
    if !need("nginx", "apt-get install nginx-light", have("nginx")) {
        return;
    }
    let text = page("docs/guides/nginx.md");
    Walk::new().with("8443", &free_port().to_string()).run(&text, SERVER);
}

#[test]
fn the_guide_to_spring_boot_is_walked_as_printed() {
    if !need("a JDK", "apt-get install default-jre-headless", have("keytool")) {
        return;
    }
    Walk::new().run(&page("docs/guides/spring.md"), SERVER);
}

#[test]
fn the_guide_to_postgresql_is_walked_as_printed() {
    let Some(postgres) = Postgres::start() else { return };
    let text = page("docs/guides/postgresql.md");
    let password = postgres.password();
    let walk = Walk::new()
        .with("5432", &postgres.port().to_string())
        .with("password=admin", &format!("password={password}"))
        .with("PGPASSWORD=admin", &format!("PGPASSWORD={password}"));
    walk.run(&text, SERVER);
}

#[test]
fn the_short_demo_sees_every_step_and_leaves_nothing() {
    let space = Workspace::new();
    let bao = OpenBao::program();
    let folders = || {
        let entries = fs::read_dir("/dev/shm").expect("a tmpfs").filter_map(Result::ok);
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("leasehold-short-demo-"))
            .count()
    };
    let path = format!("{}:/usr/bin:/bin", bao.parent().expect("it is in a folder").display());
    let start = |path: &str| {
        Child::start(Leasehold::binary(), "demo", space.path(), |command| {
            command.arg("demo").env("PATH", path).env("BAO_ADDR", "http://127.0.0.1:1");
        })
    };
    let mut demo = start(&path);
    let status = demo.wait(LIMIT);
    let said = demo.stdout();
    assert!(status.success(), "{said}{}", demo.stderr());
    for part in ["tulip-1", "tulip-2", ": ready", "Every step was seen."] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Its server and its sidecar stand in its folder.
    let left = || {
        let processes = fs::read_dir("/proc").expect("it is mounted").filter_map(Result::ok);
        let place = |process: fs::DirEntry| fs::read_link(process.path().join("cwd")).ok();
        let of_ours = |place: &PathBuf| place.to_string_lossy().starts_with("/dev/shm/leasehold-short-demo-");
        processes.filter_map(place).filter(of_ours).count()
    };
    wait_until("all that it started to end", LIMIT, || left() == 0);
    let mut cut = start(&path);
    wait_until("its folder", LIMIT, || cut.stdout().contains("A policy"));
    cut.signal(Signal::SIGINT);
    assert_eq!(cut.wait(LIMIT).code(), Some(130));
    let mut without = start("/usr/bin:/bin");
    assert_eq!(without.wait(LIMIT).code(), Some(69));
    assert!(without.stderr().contains("neither bao nor vault is on the path"), "{}", without.stderr());
    assert_eq!(folders(), 0);
}

/// A shell in which a clone is a copy, and the program is built already.
fn built() -> String {
    format!(
        r#"
git() {{
    mkdir leasehold
    tar -C {repository} -c --exclude=./target --exclude=./.git --exclude=./fuzz . | tar -C leasehold -x
    sed -i 's|127[.]0[.]0[.]1:8200|127.0.0.1:8200|' leasehold/examples/development.yaml
}}
make() {{
    release=target/$(uname -m)-unknown-linux-gnu/release
    mkdir -p "$release"
    ln -s {binary} "$release/leasehold"
    scripts/demo {binary}
}}
"#,
        repository = repository().display(),
        binary = Leasehold::binary().display(),
    )
}

#[test]
fn a_newcomer_gets_from_nothing_to_a_secret_of_their_own() {
    let (walk, text) = (Walk::new(), page(FIRST));
    let said = walk.run(&text, &built());
    assert!(said.contains("Every step was seen."), "{said}");
    assert!(!said.contains("battery-staple"), "nothing prints the second password");
    println!("{}", report(&text, &said));
}

/// How long each step took, as a table; with `BLESS` in the guide, too.
fn report(text: &str, said: &str) -> String {
    let steps = steps(said);
    assert!(steps.len() >= 5, "{STEP} is missing in:\n{said}");
    let whole: f64 = steps.iter().map(|(_, seconds)| seconds).sum();
    let row = |(step, seconds): &(String, f64)| format!("| {step} | {seconds:.1} s |\n");
    let table = format!(
        "| step | took |\n| --- | ---: |\n{}| all | {whole:.1} s |\n",
        steps.iter().map(row).collect::<String>()
    );
    if std::env::var_os("BLESS").is_some() {
        let (before, rest) = text.split_once("<!-- measured -->\n").expect("the guide has a place for it");
        let (_, after) = rest.split_once("<!-- end of measured -->").expect("the place ends");
        let text = format!("{before}<!-- measured -->\n{table}<!-- end of measured -->{after}");
        fs::write(repository().join(FIRST), text).expect("the repository can be written");
    }
    table
}
