//! As whom programs run, and where they are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// As whom a program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// As we do.
    Myself,
    /// As a user of the system; only root can ask for that.
    Other {
        /// The number of the user.
        uid: u32,
        /// The number of the user's group.
        gid: u32,
    },
}

impl User {
    /// The service user of that name if we are root, else ourselves: servers that refuse to be root run without
    /// more ado in the hands of an ordinary user.
    pub fn service(name: &str) -> Result<Self> {
        if !am_root()? {
            return Ok(Self::Myself);
        }
        let users = fs::read_to_string("/etc/passwd").context("reading the users")?;
        let entry = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|entry| entry[0] == name);
        match entry.as_deref() {
            Some([_, _, uid, gid, ..]) => Ok(Self::Other {
                uid: uid.parse()?,
                gid: gid.parse()?,
            }),
            _ => bail!("there is no user '{name}' on this system (is its Debian package installed?)"),
        }
    }

    pub(crate) fn ids(&self) -> Option<(u32, u32)> {
        match self {
            Self::Myself => None,
            Self::Other { uid, gid } => Some((*uid, *gid)),
        }
    }

    pub(super) fn setpriv_args(&self) -> Vec<String> {
        match self.ids() {
            None => Vec::new(),
            Some((uid, gid)) => {
                vec![
                    format!("--reuid={uid}"),
                    format!("--regid={gid}"),
                    "--clear-groups".into(),
                ]
            }
        }
    }
}

fn am_root() -> Result<bool> {
    let status = fs::read_to_string("/proc/self/status").context("asking who we are")?;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    Ok(effective == Some("0"))
}

/// Finds a program in `PATH`, or in the places that Debian uses but an ordinary user's `PATH` lacks. A name with
/// a slash in it is taken as it is.
pub fn find_program(name: &str) -> Result<PathBuf> {
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
    places.extend(postgres_places());
    let found = places
        .iter()
        .map(|place| place.join(name))
        .find(|path| path.is_file());
    found
        .with_context(|| format!("the program '{name}' is not installed (tests/run installs what is needed)"))
}

/// Debian keeps the programs of each PostgreSQL version apart; the newest comes first.
fn postgres_places() -> Vec<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir(Path::new("/usr/lib/postgresql"))
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    versions.reverse();
    versions
}
