//! Tests that need a network of their own (ports below 1024, addresses that this machine does not have): each runs
//! itself again in a new network namespace, where there is only a loopback interface.

use std::process::{Command, Stdio};

/// Says to the test that it is in its namespace.
const INSIDE: &str = "VIADUCT_TEST_INSIDE";

/// True inside the namespace, where the test goes on. Outside, false: the test was run inside, and it passed, or there
/// are no namespaces here.
pub(crate) fn inside(test: &str) -> bool {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == test) {
        ip(&["link", "set", "lo", "up"]);
        return true;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.arg("--net").stdin(Stdio::null());
        command
    };
    let probe = unshare().args(["ip", "link"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!(
            "{test}: there are no network namespaces here (root makes them, with unshare and ip): skipped"
        );
        return false;
    }
    let own = std::env::current_exe().expect("a test knows its own file");
    let output = unshare()
        .arg(own)
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, test)
        .output()
        .expect("unshare starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "in a network namespace: {said}");
    // A name that is misspelt would run no test at all.
    assert!(said.contains("1 passed"), "{said}");
    print!("{said}");
    false
}

/// Runs `ip`.
pub(crate) fn ip(args: &[&str]) {
    let done = Command::new("ip").args(args).output().expect("ip starts");
    assert!(
        done.status.success(),
        "ip {args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}
