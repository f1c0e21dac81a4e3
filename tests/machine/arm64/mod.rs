//! The program built for arm64, run under emulation: what a build for another machine breaks shows in what
//! `check` and `render` say.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{Leasehold, have, need, repository, script};

fn possible() -> bool {
    let how = "apt-get install rustc-web cargo-web rust-web-src gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
               qemu-user-static";
    let files = ["/usr/bin/cargo", "/usr/lib/rustlib/src/rust/library/std/Cargo.toml"];
    let available = files.iter().all(|file| Path::new(file).exists())
        && ["aarch64-linux-gnu-gcc", "qemu-aarch64-static"].iter().all(|program| have(program));
    need("a compiler for arm64 and an emulator", how, available)
}

/// What a program says when it is run with these arguments in the examples' folder.
fn run(program: &[&Path], arguments: &[&str]) -> Output {
    Command::new(program[0])
        .args(&program[1..])
        .args(arguments)
        .env_clear()
        .env("VAULT_TOKEN", "s.example")
        .current_dir(repository().join("examples"))
        .output()
        .expect("it can be run")
}

#[test]
fn a_build_for_arm64_checks_and_renders_as_the_one_for_this_machine() {
    if !possible() {
        return;
    }
    let program = PathBuf::from(script("arm64", &[]));
    let elf = std::fs::read(&program).expect("it was just built");
    // e_machine: EM_AARCH64.
    assert_eq!(elf[18..20], [183, 0]);
    let (emulator, here) = (Path::new("qemu-aarch64-static"), Leasehold::binary());
    let secrets = repository().join("tests/machine/arm64/secrets.yaml");
    let template = repository().join("tests/machine/arm64/web.tpl");
    let (secrets, template) = (secrets.to_string_lossy(), template.to_string_lossy());
    for arguments in [
        &["check", "--config", "kv.yaml"][..],
        &["check", "--config", "pki.yaml"],
        &["check", "--config", "templates/tls.pem.tpl"],
        &["render", "--template", &template, "--secrets", &secrets],
        &["render", "--template", &template],
    ] {
        let (there, native) = (run(&[emulator, &program], arguments), run(&[here], arguments));
        let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(there.status.code(), native.status.code(), "{arguments:?}");
        assert_eq!(said(&there), said(&native), "{arguments:?}");
        assert_eq!(there.stderr, native.stderr, "{arguments:?}");
    }
    // It was not two failures that were equal.
    let rendered = run(&[emulator, &program], &["render", "--template", &template, "--secrets", &secrets]);
    assert_eq!(
        String::from_utf8_lossy(&rendered.stdout),
        "user=app\nnumber=12345678901234567890\nhash=5e884898\n"
    );
}
