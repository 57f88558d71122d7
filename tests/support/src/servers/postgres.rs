//! A throw-away PostgreSQL.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use anyhow::Result;

use crate::patience::{patience, start_patience};
use crate::ports::Port;
use crate::process::{Process, Spec, User};
use crate::scratch::Scratch;

/// The role that owns everything.
const ROLE: &str = "postgres";
/// What it logs when it can be used.
const READY: &str = "ready to accept connections";

/// A PostgreSQL cluster in a temporary directory, without care for what a power cut would do to it.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: Port,
    user: User,
    databases: AtomicU32,
}

impl Postgres {
    /// Makes a cluster and starts it.
    pub async fn start(scratch: &Scratch) -> Result<Self> {
        // It refuses to be root.
        let user = User::service("postgres")?;
        let directory = scratch.subdirectory("postgres", &user)?;
        let data = directory.join("data").display().to_string();
        let options = [
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ];
        let initdb = Spec::new("initdb", "initdb", &directory, &user)?;
        initdb
            .args([format!("--pgdata={data}"), format!("--username={ROLE}")])
            .args(options)
            .run()
            .await?;
        let port = Port::reserve()?;
        let spec = Spec::new("postgres", "postgres", &directory, &user)?
            .args(["-D", &data, "-k", &directory.display().to_string(), "-p"])
            .args([port.number()])
            .args([
                "-h",
                "127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                "synchronous_commit=off",
            ])
            .args(["-c", "full_page_writes=off", "-c", "max_connections=200"]);
        let this = Self {
            process: Process::new(spec),
            port,
            user,
            databases: AtomicU32::new(0),
        };
        this.process.start().await?;
        this.process.wait_for_log(READY, start_patience()).await?;
        Ok(this)
    }

    /// Ends it at once (SIGKILL), as a crash does.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts it again after [`Postgres::kill`]. It refuses that until the last of its old processes is gone, which only
    /// they know; it is asked again until then.
    pub async fn start_again(&self) -> Result<()> {
        let deadline = Instant::now() + start_patience();
        loop {
            self.process.start().await?;
            let ready = self.process.wait_for_log(READY, start_patience()).await;
            if ready.is_ok() || Instant::now() > deadline {
                return ready;
            }
            self.process.kill().await?;
        }
    }

    /// The URL of the database `postgres`, for programs that make databases of their own.
    pub fn url(&self) -> String {
        self.url_of(ROLE)
    }

    /// Makes an empty database and gives its URL.
    pub async fn database(&self) -> Result<String> {
        let name = format!("viaduct_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let directory = self.process.log().with_file_name("");
        let createdb = Spec::new("createdb", "createdb", &directory, &self.user)?;
        let port = self.port.number().to_string();
        createdb
            .args(["-h", "127.0.0.1", "-p", &port, "-U", ROLE, &name])
            .run()
            .await?;
        Ok(self.url_of(&name))
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{ROLE}@{}/{database}", self.port.addr())
    }

    /// Ends it in order, without waiting for its clients.
    pub async fn stop(&self) -> Result<()> {
        self.process.signal("INT").await?;
        self.process.wait(patience()).await?;
        Ok(())
    }

    /// The process, to be killed or frozen.
    pub fn process(&self) -> &Process {
        &self.process
    }
}
