//! The file that holds the sealing key: read, or made at the first start.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::seal::SealingKey;

impl SealingKey {
    /// Reads the key file, or makes one with a new random key (mode 600) where there is none.
    ///
    /// # Errors
    /// When it cannot be read or made, when everybody on the machine may read it, or when it holds no key.
    pub fn load_or_create(path: &Path) -> Result<Self, StoreError> {
        match read(path)? {
            Some(key) => Ok(key),
            None => create(path),
        }
    }

    /// Reads the key file, which must be there.
    ///
    /// # Errors
    /// When it cannot be read, when everybody on the machine may read it, or when it holds no key.
    pub fn load(path: &Path) -> Result<Self, StoreError> {
        read(path)?.ok_or_else(|| StoreError::KeyFile {
            path: path.to_owned(),
            reason: "the database is there, but not the key that belongs to it".to_owned(),
        })
    }
}

fn read(path: &Path) -> Result<Option<SealingKey>, StoreError> {
    let refuse = |reason: String| StoreError::KeyFile {
        path: path.to_owned(),
        reason,
    };
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(refuse(format!(
                "the key cannot be read ({error}); let the user that viaduct runs as own the file"
            )));
        }
    };
    let about = file
        .metadata()
        .map_err(|error| refuse(format!("the key cannot be read ({error})")))?;
    if about.permissions().mode() & 0o007 != 0 {
        return Err(refuse(format!(
            "everybody on this machine may read or change the key; run: chmod 600 {}",
            path.display()
        )));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)
        .map_err(|error| refuse(format!("the key cannot be read ({error})")))?;
    SealingKey::from_text(&text)
        .map(Some)
        .map_err(|bad| refuse(bad.to_string()))
}

fn create(path: &Path) -> Result<SealingKey, StoreError> {
    let refuse = |error: &dyn std::fmt::Display| StoreError::KeyFile {
        path: path.to_owned(),
        reason: format!(
            "there is no key yet and none can be made ({error}); make the directory and let the user that viaduct runs \
             as write there, or make the key yourself: (umask 077; openssl rand -base64 32 > {})",
            path.display()
        ),
    };
    let text = SealingKey::new_text().map_err(|error| refuse(&error))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| refuse(&error))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(|error| refuse(&error))?;
    tracing::info!(
        path = %path.display(),
        "made a new key for sealing credentials; keep a copy of it in a safe place, apart from backups of the database"
    );
    SealingKey::from_text(&text).map_err(|bad| refuse(&bad))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use crate::seal::{Place, SealingKey};

    #[test]
    fn the_first_start_makes_the_key_and_later_ones_find_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        let first = SealingKey::load_or_create(&path).expect("a new key");
        assert_eq!(
            fs::metadata(&path).expect("the file").permissions().mode() & 0o777,
            0o600
        );
        let sealed = first.seal(&Place::Check, b"x").expect("random bytes");
        let second = SealingKey::load_or_create(&path).expect("the same key");
        assert_eq!(&**second.open(&Place::Check, &sealed).expect("opens"), b"x");
    }

    #[test]
    fn a_key_that_everybody_may_read_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        SealingKey::load_or_create(&path).expect("a new key");
        for (mode, fine) in [(0o400, true), (0o640, true), (0o644, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
            let outcome = SealingKey::load_or_create(&path);
            assert_eq!(outcome.is_ok(), fine, "mode {mode:o}");
            if let Err(error) = outcome {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        fs::write(&path, "no key\n").expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        let error = SealingKey::load_or_create(&path).expect_err("no key");
        assert!(error.to_string().contains("32 random bytes"), "{error}");
        let nowhere = dir.path().join("missing").join("key");
        let error = SealingKey::load_or_create(&nowhere).expect_err("no directory");
        assert!(error.to_string().contains("make the directory"), "{error}");
    }
}
