//! A certificate authority for one test run, and certificates from it, made by the `openssl` program.
//!
//! Leaves are real leaves (not self-signed authorities), because careful TLS libraries accept no other.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::process::{Spec, User};

/// An authority that nobody trusts unless told to.
#[derive(Debug, Clone)]
pub struct Authority {
    directory: PathBuf,
}

/// A certificate and its key, as files.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, in PEM.
    pub chain: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

impl Certificate {
    /// Both in one text, as users give them to a gateway.
    pub fn pem(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.chain)? + &fs::read_to_string(&self.key)?)
    }

    /// The certificate alone, in DER.
    pub fn der(&self) -> Result<Vec<u8>> {
        Ok(CertificateDer::from_pem_file(&self.chain)?.to_vec())
    }
}

impl Authority {
    /// Makes an authority in the directory.
    pub async fn new(directory: &Path) -> Result<Self> {
        let this = Self {
            directory: directory.to_owned(),
        };
        this.openssl("ca", &["-subj", "/CN=viaduct test authority"])
            .await?;
        Ok(this)
    }

    /// The file to trust this authority by.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// Issues a certificate for host names and, in the form `IP:127.0.0.1`, addresses.
    pub async fn issue(&self, name: &str, hosts: &[&str]) -> Result<Certificate> {
        let hosts: Vec<String> = hosts
            .iter()
            .map(|host| {
                if host.starts_with("IP:") {
                    (*host).to_owned()
                } else {
                    format!("DNS:{host}")
                }
            })
            .collect();
        let names = format!("subjectAltName={}", hosts.join(","));
        let ca = self.ca_file().display().to_string();
        let ca_key = self.directory.join("ca.key").display().to_string();
        let subject = format!("/CN={name}");
        let leaf = [
            "-CA", &ca, "-CAkey", &ca_key, "-subj", &subject, "-addext", &names,
        ];
        self.openssl(
            name,
            &[&leaf[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat(),
        )
        .await
    }

    async fn openssl(&self, name: &str, args: &[&str]) -> Result<Certificate> {
        let chain = self.directory.join(format!("{name}.pem"));
        let key = self.directory.join(format!("{name}.key"));
        let new_key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
        ];
        let spec = Spec::new("openssl", "openssl", &self.directory, &User::Myself)?;
        let spec = spec.args(["req", "-x509"]).args(new_key).args(args);
        spec.args(["-out"])
            .args([chain.display()])
            .args(["-keyout"])
            .args([key.display()])
            .run()
            .await?;
        // Servers that run under users of their own must read them; they protect nothing but a test.
        for file in [&chain, &key] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o644))?;
        }
        Ok(Certificate { chain, key })
    }
}
