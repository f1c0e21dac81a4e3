//! As PID 1 of a container: whom others leave behind is collected, and nobody else's end is stolen.

use nix::sys::signal::Signal;

use crate::exec::scene::{FILE, Scene, kill};
use crate::support::{Child, Leasehold, SOON, have, need};
use leasehold_testkit::evidence;

/// Makes a thousand orphans, waits until all of them have ended, and counts what is left of them.
const ORPHANS: &str = r#"
i=0
while [ $i -lt 1000 ]; do (sh -c : &) ; i=$((i+1)); done
left() { grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l; }
others() { ls -d /proc/[0-9]* | wc -l; }
n=0
until [ "$(left)" -eq 0 ] && [ "$(others)" -le 6 ]; do n=$((n+1)); [ $n -lt 500 ] || break; sleep 0.02; done
echo "zombies: $(left)"
exit 11
"#;

#[test]
fn a_thousand_orphans_leave_no_zombie_and_the_exit_code_is_the_process_s() {
    let scene = Scene::new();
    let program = scene.program("exec: {env: {PASSWORD: {secret: 'secret/web#password'}}}");
    let unshare = |command: &mut std::process::Command| {
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "--"]);
    };
    let mut probe = Child::start("unshare".as_ref(), "probe", scene.space.path(), |command| {
        unshare(command);
        command.arg("true");
    });
    let can = have("unshare") && probe.wait(SOON).success();
    if !need("a PID namespace of one's own", "root, or unshare --pid permitted", can) {
        return;
    }
    let mut child = Child::start("unshare".as_ref(), "pid-1", scene.space.path(), |command| {
        unshare(command);
        command
            .arg(Leasehold::binary())
            .args(["exec", "--", "sh", "-c", ORPHANS])
            .env_clear()
            .envs(program.variables())
            .current_dir(scene.space.path());
    });
    let status = child.wait(4 * SOON);
    assert_eq!(child.stdout(), "zombies: 0\n", "{}", child.stderr());
    assert_eq!(status.code(), Some(11));
}

#[test]
fn a_process_that_has_joined_another_group_is_stopped_all_the_same() {
    if !need("perl", "apt-get install perl", have("perl")) {
        return;
    }
    let mut evidence = evidence!(48, Machine);
    let scene = Scene::new();
    let script = "$c = fork; if (!$c) { setpgrp(0, 0); exec 'sleep', '600' } \
        select(undef, undef, undef, 0.01) until eval { setpgrp(0, $c) }; \
        open F, '>', 'member.new'; print F \"$c\\n\"; close F; rename 'member.new', 'member'; sleep 600";
    let running = scene.program(FILE).spawn(&["exec", "--", "perl", "-e", script]);
    let member = scene.wait_for_pid("member");
    let finished = running.stop();
    kill(member, Signal::SIGKILL);
    evidence.exit(finished.code, 143);
    evidence.holds("a process that left the group that it led is signalled by its own number, too");
}
