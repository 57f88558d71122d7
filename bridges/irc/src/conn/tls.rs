//! TLS as IRC servers need it: the system's certificates, or the operator's word for single servers; certificates of
//! users (SASL EXTERNAL).

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use viaduct_bridge::Secret;

use crate::address::server_name;
use crate::config::{ConfigError, IrcConfig, ServerConfig};

/// The TLS settings of all servers.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    /// For servers without an override; read when it is first needed.
    default: OnceLock<Result<Settings, String>>,
    overrides: HashMap<String, Settings>,
}

/// How one server's certificate is checked, and the configuration for users without a certificate of their own.
#[derive(Clone)]
struct Settings {
    verifier: Arc<dyn ServerCertVerifier>,
    config: Arc<ClientConfig>,
    /// Whether not just any certificate is accepted.
    verifies: bool,
}

/// Which certificates a user trusts, where that is not what everybody does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Any.
    Anybody,
    /// The one with this SHA-256 fingerprint.
    Fingerprint([u8; 32]),
}

impl Trust {
    /// Reads a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons.
    pub(crate) fn fingerprint(text: &str) -> Option<Self> {
        parse_fingerprint(text).map(Self::Fingerprint)
    }
}

impl Tls {
    /// Reads the overrides.
    pub(crate) fn new(config: &IrcConfig) -> Result<Self, ConfigError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut overrides = HashMap::new();
        for (name, server) in &config.servers {
            if let Some(verifier) = verifier_of(name, server, &provider)? {
                let config = client_config(&provider, &verifier, None).map_err(ConfigError::Tls)?;
                let canonical = server_name(name).unwrap_or_else(|| name.clone());
                let verifies = server.fingerprint.is_some() || !server.accept_invalid;
                let settings = Settings {
                    verifier,
                    config,
                    verifies,
                };
                overrides.insert(canonical, settings);
            }
        }
        Ok(Self {
            provider,
            default: OnceLock::new(),
            overrides,
        })
    }

    /// Whether this server's certificates are checked.
    pub(crate) fn verifies(&self, server: &str, trust: Option<&Trust>) -> bool {
        match trust {
            Some(trust) => *trust != Trust::Anybody,
            None => self
                .overrides
                .get(server)
                .is_none_or(|settings| settings.verifies),
        }
    }

    /// The configuration for a connection to a server, with the user's certificate if there is one.
    ///
    /// # Errors
    /// In words for the user.
    pub(crate) fn config(
        &self,
        server: &str,
        trust: Option<&Trust>,
        certificate: Option<&Secret>,
    ) -> Result<Arc<ClientConfig>, String> {
        if let Some(trust) = trust {
            let expected = match trust {
                Trust::Anybody => None,
                Trust::Fingerprint(digest) => Some(*digest),
            };
            let provider = self.provider.clone();
            let verifier: Arc<dyn ServerCertVerifier> = Arc::new(Lenient { provider, expected });
            return client_config(&self.provider, &verifier, certificate);
        }
        let settings = match self.overrides.get(server) {
            Some(settings) => settings,
            None => self
                .default
                .get_or_init(|| system_settings(&self.provider))
                .as_ref()
                .map_err(Clone::clone)?,
        };
        match certificate {
            None => Ok(settings.config.clone()),
            Some(pem) => client_config(&self.provider, &settings.verifier, Some(pem)),
        }
    }
}

/// The verifier of an override, if it asks for one.
fn verifier_of(
    name: &str,
    server: &ServerConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ServerCertVerifier>>, ConfigError> {
    if let Some(fingerprint) = &server.fingerprint {
        let expected = parse_fingerprint(fingerprint).ok_or_else(|| ConfigError::Fingerprint {
            server: name.to_owned(),
        })?;
        let provider = provider.clone();
        let expected = Some(expected);
        return Ok(Some(Arc::new(Lenient { provider, expected })));
    }
    if server.accept_invalid {
        let provider = provider.clone();
        let expected = None;
        return Ok(Some(Arc::new(Lenient { provider, expected })));
    }
    let Some(path) = &server.ca_file else {
        return Ok(None);
    };
    let bad = |problem: String| ConfigError::CaFile {
        server: name.to_owned(),
        problem,
    };
    let roots = read_roots(path).map_err(bad)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| bad(error.to_string()))?;
    Ok(Some(verifier))
}

fn read_roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let shown = path.display();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| format!("{shown}: {error}"))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| format!("{shown}: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("{shown}: {error}"))?;
    }
    if roots.is_empty() {
        return Err(format!("{shown} has no certificate in it"));
    }
    Ok(roots)
}

fn system_settings(provider: &Arc<CryptoProvider>) -> Result<Settings, String> {
    let mut roots = RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        return Err(
            "this gateway has no certificates to check servers with (install ca-certificates)".to_owned(),
        );
    }
    let verifier: Arc<dyn ServerCertVerifier> =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| error.to_string())?;
    let config = client_config(provider, &verifier, None)?;
    Ok(Settings {
        verifier,
        config,
        verifies: true,
    })
}

fn client_config(
    provider: &Arc<CryptoProvider>,
    verifier: &Arc<dyn ServerCertVerifier>,
    certificate: Option<&Secret>,
) -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone());
    let config = match certificate {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let (chain, key) = read_certificate(pem)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the certificate cannot be used: {error}"))?
        }
    };
    Ok(Arc::new(config))
}

/// Reads a certificate and its key from PEM text.
pub(crate) fn read_certificate(
    pem: &Secret,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let text = with_lines(pem);
    let bytes = text.reveal().as_bytes();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the certificate cannot be read: {error}"))?;
    if chain.is_empty() {
        return Err("there is no certificate in the text".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(bytes)
        .map_err(|error| format!("the key of the certificate cannot be read: {error}"))?;
    Ok((chain, key))
}

/// PEM needs its lines; a form field of one line makes spaces of them.
fn with_lines(pem: &Secret) -> Secret {
    let text = pem.reveal();
    if text.contains('\n') {
        return pem.clone();
    }
    let mut out = zeroize::Zeroizing::new(String::with_capacity(text.len() + 8));
    for (at, part) in text.split("-----").enumerate() {
        match at % 4 {
            // Before the first, or between two blocks.
            0 => {}
            1 | 3 => {
                out.push_str("-----");
                out.push_str(part);
                out.push_str("-----\n");
            }
            _ => {
                for word in part.split_ascii_whitespace() {
                    out.push_str(word);
                    out.push('\n');
                }
            }
        }
    }
    Secret::new(out.as_str())
}

fn parse_fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|b| !matches!(b, b':' | b' '))
        .map(|b| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    if digits.len() != 64 {
        return None;
    }
    bytes.try_into().ok()
}

/// Accepts one certificate by its fingerprint, or any, as the operator or the user chose. Signatures are checked all the same:
/// the other end has the key of the certificate that it shows.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    expected: Option<[u8; 32]>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.expected {
            Some(expected) if Sha256::digest(end_entity.as_ref()).as_slice() != expected => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What is wrong with a certificate, in words; `None` if the error is about something else.
pub(crate) fn certificate_words(error: &rustls::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(problem) = error else {
        return None;
    };
    Some(match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it belongs to another server".to_owned()
        }
        CertificateError::UnknownIssuer => "nobody who is trusted has signed it".to_owned(),
        CertificateError::Revoked => "it has been revoked".to_owned(),
        CertificateError::ApplicationVerificationFailure => {
            "it is not the one that has been named for this server".to_owned()
        }
        other => format!("{other:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::{parse_fingerprint, with_lines};
    use viaduct_bridge::Secret;

    #[test]
    fn fingerprints() {
        let plain = "ab".repeat(32);
        assert_eq!(parse_fingerprint(&plain), Some([0xab; 32]));
        let colons = ["AB"; 32].join(":");
        assert_eq!(parse_fingerprint(&colons), Some([0xab; 32]));
        for bad in ["", "ab", "zz", &"a".repeat(63), &"é".repeat(32)] {
            assert_eq!(parse_fingerprint(bad), None);
        }
    }

    #[test]
    fn pem_in_one_line_gets_its_lines_back() {
        let one = Secret::new("-----BEGIN A----- aa bb -----END A----- -----BEGIN B----- cc -----END B-----");
        assert_eq!(
            with_lines(&one).reveal(),
            "-----BEGIN A-----\naa\nbb\n-----END A-----\n-----BEGIN B-----\ncc\n-----END B-----\n"
        );
    }
}
