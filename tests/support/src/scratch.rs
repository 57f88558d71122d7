//! A temporary directory for one world, with a subdirectory for each server.
//!
//! Servers that refuse to be root run under their own users, so the directory can be entered by everyone and
//! each subdirectory belongs to the user of its server.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::User;

/// A directory that goes away with the value, unless it is kept.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    directory: Mutex<TempDir>,
}

impl Scratch {
    /// Makes a directory whose name begins with `viaduct-` and `name`.
    pub fn new(name: &str) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(&format!("viaduct-{name}-"))
            .tempdir()
            .context("making a temporary directory")?;
        // Here, so that no umask takes something away.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            path: directory.path().to_owned(),
            directory: Mutex::new(directory),
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says whether the directory stays when the value is dropped, for somebody to look into.
    pub fn keep(&self, keep: bool) -> &Path {
        self.directory
            .lock()
            .expect("no holder of this lock panics")
            .disable_cleanup(keep);
        &self.path
    }

    /// Makes a subdirectory that belongs to the given user.
    pub fn subdirectory(&self, name: &str, owner: &User) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        owner.give(&path)?;
        Ok(path)
    }
}

impl User {
    /// Writes a file that belongs to this user.
    pub fn write(&self, path: &Path, text: &str) -> Result<()> {
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
        self.give(path)
    }

    /// Makes a file or directory belong to this user.
    pub fn give(&self, path: &Path) -> Result<()> {
        if let Some((uid, gid)) = self.ids() {
            chown(path, Some(uid), Some(gid)).with_context(|| format!("giving {} away", path.display()))?;
        }
        Ok(())
    }
}
