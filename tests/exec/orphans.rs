//! As PID 1 of a container: whom others leave behind is collected, and nobody else's end is stolen.

use crate::scene::Scene;
use crate::support::{Child, Leasehold, SOON, have, need};

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
