//! One measured process: started, read through /proc, ended with the bench.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Linux shows process times in ticks of 1/100 s, whatever the kernel's own tick is.
const TICK: f64 = 0.01;

/// How long a process may take to end when it is asked to.
const FAREWELL: Duration = Duration::from_secs(20);

/// A child process that dies with its value, and with the bench.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

/// The CPU time of a process at one moment.
#[derive(Debug)]
pub(crate) struct Cpu {
    ticks: f64,
    threads: HashMap<String, f64>,
}

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// All resident pages.
    pub(crate) rss: f64,
    /// Those of them that no file backs.
    pub(crate) anonymous: f64,
}

impl Process {
    /// Starts `program`; its output goes to `log`.
    ///
    /// `setpriv --pdeathsig` makes it die with the bench, however the bench dies.
    pub(crate) fn start(program: &Path, arguments: &[&str], folder: &Path, log: &Path) -> Result<Self> {
        let output = fs::File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stderr(output.try_clone()?)
            .stdout(output)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { child })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.child
            .try_wait()
            .ok()
            .flatten()
            .map(|status| status.to_string())
    }

    /// Its CPU time so far, user and system.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        Cpu::of(&self.child.id().to_string())
    }

    /// Its memory now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0)
        };
        Ok(Memory {
            rss: value("VmRSS:").context("no VmRSS")?,
            anonymous: value("RssAnon:").context("no RssAnon")?,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // In order, if it will: so that a tool around it (valgrind, heaptrack) can write what it has seen.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let begun = Instant::now();
        while asked.is_ok() && matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < FAREWELL {
            sleep(Duration::from_millis(10));
        }
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cpu {
    /// The CPU time so far of the bench itself.
    pub(crate) fn own() -> Result<Self> {
        Self::of("self")
    }

    fn of(process: &str) -> Result<Self> {
        let path = format!("/proc/{process}/stat");
        let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let fields = stat.rsplit(')').next().context("no name in stat")?;
        let times: Vec<f64> = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .flat_map(str::parse)
            .collect();
        let ticks = times.iter().sum::<f64>() * TICK;
        let mut threads = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
            // A thread may end between the listing and the reading.
            let text = fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            if let Some(Ok(nanos)) = text.split_whitespace().next().map(str::parse::<f64>) {
                threads.insert(entry.file_name().to_string_lossy().into_owned(), nanos / 1e9);
            }
        }
        Ok(Self { ticks, threads })
    }

    /// Seconds used since `earlier`.
    ///
    /// The ticks of utime + stime are exact over the life of all threads but coarse; the nanoseconds of schedstat
    /// are fine but forget threads that ended. So: the fine figure where the coarse one agrees with it.
    pub(crate) fn since(&self, earlier: &Self) -> f64 {
        let coarse = self.ticks - earlier.ticks;
        let fine: f64 = self
            .threads
            .iter()
            .map(|(id, now)| now - earlier.threads.get(id).copied().unwrap_or(0.0))
            .sum();
        if (fine - coarse).abs() <= 2.5 * TICK {
            fine
        } else {
            coarse
        }
    }
}
