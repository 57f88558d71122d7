//! The one thread that starts children.
//!
//! The kernel sends the parent-death signal when the *thread* ends that started the child. Threads of an
//! asynchronous runtime come and go; this one stays for the life of our process.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;

struct Order {
    command: Command,
    runtime: Handle,
    reply: SyncSender<io::Result<Child>>,
}

/// Starts a child of the thread that never ends.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    static NURSERY: OnceLock<SyncSender<Order>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(open);
    let (reply, answer) = sync_channel(1);
    let gone = |_| io::Error::other("the thread that starts children is gone");
    nursery
        .send(Order {
            command,
            runtime: Handle::current(),
            reply,
        })
        .map_err(|error| gone(error.to_string()))?;
    answer.recv().map_err(|error| gone(error.to_string()))?
}

fn open() -> SyncSender<Order> {
    let (orders, inbox) = sync_channel::<Order>(16);
    thread::spawn(move || {
        for Order {
            mut command,
            runtime,
            reply,
        } in inbox
        {
            // The child's end is reported to the runtime of whoever asked for it.
            let _guard = runtime.enter();
            // Nobody waits for the answer any more: the child is dropped and so ended.
            drop(reply.send(command.spawn()));
        }
    });
    orders
}
