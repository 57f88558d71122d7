//! Child processes that cannot outlive the test.
//!
//! Every child is started through `setpriv --pdeathsig KILL`, so the kernel ends it when we end, however that
//! happens, and in a process group of its own, so that Ctrl-C in a terminal is ours to handle. What it prints
//! goes to a log file, whose tail is part of every error about it.

mod nursery;
mod user;

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex as Lock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, interval, timeout};

pub use user::{User, find_program};

/// How often a condition is looked at that gives no event.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How many lines of a log an error shows.
const TAIL: usize = 30;

/// How to start a program.
#[derive(Debug, Clone)]
pub struct Spec {
    /// What errors call it.
    pub name: String,
    /// The program, by path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is added to its environment.
    pub env: Vec<(String, String)>,
    /// Where it runs, and where its log `NAME.log` is.
    pub directory: PathBuf,
    /// As whom it runs.
    pub user: User,
}

/// A program that can be ended, frozen and started again.
#[derive(Debug)]
pub struct Process {
    spec: Spec,
    log: PathBuf,
    child: Mutex<Option<Child>>,
    pid: Lock<Option<u32>>,
    /// Where in the log the output of the present run begins.
    began: Lock<u64>,
}

/// By what a program shows that it is ready.
#[derive(Debug)]
enum Sign {
    Port(SocketAddr),
    Log(String),
    NoFile(PathBuf),
}

impl Display for Sign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Port(addr) => write!(f, "did not listen on {addr}"),
            Self::Log(text) => write!(f, "did not log '{text}'"),
            Self::NoFile(path) => write!(f, "did not remove {}", path.display()),
        }
    }
}

impl Spec {
    /// A program with no arguments yet; it is looked for where Debian puts programs.
    pub fn new(name: &str, program: &str, directory: &Path, user: &User) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            program: find_program(program)?,
            args: Vec::new(),
            env: Vec::new(),
            directory: directory.to_owned(),
            user: user.clone(),
        })
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: Display>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.to_string()));
        self
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Display) -> Self {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(find_program("setpriv")?);
        command
            .args(self.user.setpriv_args())
            .arg("--pdeathsig")
            .arg("KILL")
            .arg("--")
            .arg(&self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
            .current_dir(&self.directory)
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }

    /// Runs the program to its end; an exit status other than 0 is an error with what it printed.
    pub async fn run(&self) -> Result<String> {
        let mut command = self.command()?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = nursery::spawn(command).with_context(|| format!("starting {}", self.name))?;
        let output = child.wait_with_output().await?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("{} ended with {}:\n{printed}{errors}", self.name, output.status);
        }
        Ok(printed)
    }
}

impl Process {
    /// Describes a program without starting it.
    pub fn new(spec: Spec) -> Self {
        let log = spec.directory.join(format!("{}.log", spec.name));
        Self {
            spec,
            log,
            child: Mutex::default(),
            pid: Lock::default(),
            began: Lock::default(),
        }
    }

    /// Starts the program. One that runs already is an error.
    pub async fn start(&self) -> Result<()> {
        let mut child = self.child.lock().await;
        if child.is_some() {
            bail!("{} runs already", self.spec.name);
        }
        let log = self.open_log()?;
        *self.began.lock().expect("no holder of this lock panics") = log.metadata()?.len();
        let mut command = self.spec.command()?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = nursery::spawn(command).with_context(|| format!("starting {}", self.spec.name))?;
        *self.pid.lock().expect("no holder of this lock panics") = started.id();
        *child = Some(started);
        Ok(())
    }

    fn open_log(&self) -> Result<File> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("opening {}", self.log.display()))?;
        self.spec.user.give(&self.log)?;
        Ok(log)
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        *self.pid.lock().expect("no holder of this lock panics")
    }

    /// What errors call it.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Ends it at once (SIGKILL) and waits until it is gone. One that does not run is left alone.
    pub async fn kill(&self) -> Result<()> {
        let mut slot = self.child.lock().await;
        if let Some(mut child) = slot.take() {
            child
                .start_kill()
                .with_context(|| format!("killing {}", self.spec.name))?;
            child.wait().await?;
        }
        self.forget_pid();
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub async fn terminate(&self, within: Duration) -> Result<ExitStatus> {
        self.signal("TERM").await?;
        self.wait(within).await
    }

    /// Waits until it ends by itself.
    pub async fn wait(&self, within: Duration) -> Result<ExitStatus> {
        let mut slot = self.child.lock().await;
        let child = slot
            .as_mut()
            .ok_or_else(|| anyhow!("{} does not run", self.spec.name))?;
        let status = timeout(within, child.wait()).await;
        let status =
            status.map_err(|_| self.trouble(format!("did not end within {} s", within.as_secs_f32())))??;
        *slot = None;
        self.forget_pid();
        Ok(status)
    }

    fn forget_pid(&self) {
        *self.pid.lock().expect("no holder of this lock panics") = None;
    }

    /// Stops it where it is (SIGSTOP); its connections stay open and nobody answers on them.
    pub async fn freeze(&self) -> Result<()> {
        self.signal("STOP").await
    }

    /// Lets it go on after [`Process::freeze`].
    pub async fn thaw(&self) -> Result<()> {
        self.signal("CONT").await
    }

    /// Sends a signal by name. The shell's own `kill` does it: it is always there, and needs no unsafe code.
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let pid = self
            .pid()
            .ok_or_else(|| anyhow!("{} does not run", self.spec.name))?;
        let status = Command::new("/bin/sh")
            .args(["-c", &format!("kill -{signal} {pid}")])
            .status()
            .await?;
        if !status.success() {
            bail!(self.trouble(format!("could not be sent SIG{signal}")));
        }
        Ok(())
    }

    /// Waits until something accepts connections at the address.
    pub async fn wait_for_port(&self, addr: SocketAddr, within: Duration) -> Result<()> {
        self.wait_for(&Sign::Port(addr), within).await
    }

    /// Waits until its log, since the last start, has the text.
    pub async fn wait_for_log(&self, text: &str, within: Duration) -> Result<()> {
        self.wait_for(&Sign::Log(text.to_owned()), within).await
    }

    /// Waits until it has removed the file.
    pub async fn wait_for_no_file(&self, path: &Path, within: Duration) -> Result<()> {
        self.wait_for(&Sign::NoFile(path.to_owned()), within).await
    }

    /// Looks again and again for something that gives no event; stops when the process ends.
    async fn wait_for(&self, sign: &Sign, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        let mut ticks = interval(LOOK_AGAIN);
        loop {
            ticks.tick().await;
            let there = match sign {
                Sign::Port(addr) => TcpStream::connect(addr).await.is_ok(),
                Sign::Log(text) => self.log_of_this_run().contains(text),
                Sign::NoFile(path) => !path.exists(),
            };
            if there {
                return Ok(());
            }
            if let Some(status) = self.ended().await? {
                bail!(self.trouble(format!("ended with {status} and {sign}")));
            }
            if Instant::now() > deadline {
                bail!(self.trouble(format!("{sign} within {} s", within.as_secs_f32())));
            }
        }
    }

    /// The exit status, if it has ended by itself.
    pub async fn ended(&self) -> Result<Option<ExitStatus>> {
        match self.child.lock().await.as_mut() {
            Some(child) => Ok(child.try_wait()?),
            None => Ok(None),
        }
    }

    /// The file with everything that it printed, in all its runs.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How long the log is now, to look later at what was added.
    pub fn log_length(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |metadata| metadata.len())
    }

    /// What was logged after the given place.
    pub fn log_since(&self, start: u64) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(start))?;
            file.read_to_end(&mut text)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => format!("({}: {error})", self.log.display()),
        }
    }

    fn log_of_this_run(&self) -> String {
        self.log_since(*self.began.lock().expect("no holder of this lock panics"))
    }

    /// An error about it that ends with the tail of its log.
    pub fn trouble(&self, what: impl Display) -> anyhow::Error {
        let tail = tail(&self.log_since(0), TAIL);
        anyhow!(
            "{} {what}; its log {} ends:\n{tail}",
            self.spec.name,
            self.log.display()
        )
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn shell(scratch: &Scratch, script: &str) -> Process {
        let spec = Spec::new("shell", "sh", scratch.path(), &User::Myself).expect("there is a shell");
        Process::new(spec.args(["-c", script]))
    }

    #[tokio::test]
    async fn reports_the_log_of_a_program_that_ends_too_early() {
        let scratch = Scratch::new("test").expect("a directory");
        let process = shell(&scratch, "echo no such thing; exit 3");
        process.start().await.expect("it starts");
        let error = process
            .wait_for_log("ready", Duration::from_secs(9))
            .await
            .expect_err("it is not ready");
        let error = error.to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("no such thing"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn freezes_thaws_terminates_and_starts_again() {
        let scratch = Scratch::new("test").expect("a directory");
        let script =
            "[ -p pipe ] || mkfifo pipe; exec 3<>pipe; trap 'exit 7' TERM; echo ready; read line <&3";
        let process = shell(&scratch, script);
        for _ in 0..2 {
            process.start().await.expect("it starts");
            process
                .wait_for_log("ready", Duration::from_secs(9))
                .await
                .expect("it is ready");
            process.freeze().await.expect("it freezes");
            process.thaw().await.expect("it thaws");
            let status = process.terminate(Duration::from_secs(9)).await.expect("it ends");
            assert_eq!(status.code(), Some(7));
            assert_eq!(process.pid(), None);
        }
    }
}
