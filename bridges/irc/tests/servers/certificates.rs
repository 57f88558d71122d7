//! Certificates for tests, made by the `openssl` program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An authority and certificates of it, in a folder.
pub(crate) struct Authority {
    folder: PathBuf,
}

/// A certificate with its key.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// Makes an authority; `None` where there is no `openssl`.
    pub(crate) fn new(folder: &Path) -> Option<Self> {
        let authority = Self {
            folder: folder.to_owned(),
        };
        let made = authority.openssl("ca", &["-subj", "/CN=test authority"]);
        made.then_some(authority)
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Issues a certificate for a host name.
    pub(crate) fn issue(&self, name: &str, host: &str) -> Certificate {
        let (ca, ca_key) = (self.path("ca", "pem"), self.path("ca", "key"));
        let (subject, names) = (format!("/CN={name}"), format!("subjectAltName=DNS:{host}"));
        let made = self.openssl(
            name,
            &[
                "-CA",
                &ca,
                "-CAkey",
                &ca_key,
                "-subj",
                &subject,
                "-addext",
                &names,
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ],
        );
        assert!(made, "openssl issues a certificate");
        Certificate {
            chain: self.path(name, "pem").into(),
            key: self.path(name, "key").into(),
        }
    }

    fn path(&self, name: &str, extension: &str) -> String {
        self.folder
            .join(format!("{name}.{extension}"))
            .display()
            .to_string()
    }

    fn openssl(&self, name: &str, args: &[&str]) -> bool {
        let (out, key) = (self.path(name, "pem"), self.path(name, "key"));
        Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .args(["-days", "30", "-out", &out, "-keyout", &key])
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

impl Certificate {
    pub(crate) fn pem(&self) -> String {
        let read = |path| std::fs::read_to_string(path).expect("openssl has written it");
        read(&self.chain) + &read(&self.key)
    }

    /// The SHA-256 fingerprint, as openssl prints it.
    pub(crate) fn fingerprint(&self) -> String {
        let output = Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(&self.chain)
            .output()
            .expect("openssl is there");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.trim().rsplit('=').next().unwrap_or_default().to_owned()
    }
}
