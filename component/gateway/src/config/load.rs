//! Reading the configuration: defaults, the file, the environment. What is wrong is said in a sentence.

use std::path::{Path, PathBuf};

use figment::error::{Actual, Kind};
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use thiserror::Error;

use super::Config;

/// How the environment's variables begin.
const PREFIX: &str = "VIADUCT_";

/// What is wrong with the configuration, for the operator.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Something in it cannot be used.
    #[error("{0}")]
    Wrong(String),
}

/// Reads a configuration file; variables of the environment such as `VIADUCT_GATEWAY__IRC__SECRET` come before it.
///
/// # Errors
/// When something cannot be read or understood.
pub fn load(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    // Figment's own words for a syntax error quote the line, which may hold a secret.
    if let Err(error) = toml::from_str::<toml::Table>(&text) {
        let before = error
            .span()
            .map_or("", |span| text.get(..span.start).unwrap_or_default());
        let line = before.matches('\n').count() + 1;
        return Err(ConfigError::Wrong(format!(
            "{}: line {line} is not valid TOML: {}",
            path.display(),
            error.message()
        )));
    }
    let mut figment = Figment::from(Toml::string(&text));
    for (name, value) in environment {
        if let Some(variable) = Variable::new(name, value) {
            figment = figment.merge(variable);
        }
    }
    figment.extract().map_err(|error| {
        let sentences: Vec<String> = error.into_iter().map(|error| sentence(&error, path)).collect();
        ConfigError::Wrong(sentences.join("\n"))
    })
}

/// One variable of the environment.
struct Variable {
    name: String,
    key: Vec<String>,
    value: String,
}

impl Variable {
    /// `None` for a variable that is no setting: those have `__` between the levels.
    fn new(name: String, value: String) -> Option<Self> {
        let key: Vec<String> = name
            .strip_prefix(PREFIX)?
            .split("__")
            .map(str::to_ascii_lowercase)
            .collect();
        (key.len() > 1).then_some(Self { name, key, value })
    }

    fn value(&self) -> Value {
        // A secret of digits is still a text, and keeps its leading zeros.
        let last = self.key.last().map_or("", String::as_str);
        if last.contains("secret") || last.contains("password") || last == "url" {
            return Value::from(self.value.as_str());
        }
        self.value.parse().unwrap_or_else(|never| match never {})
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("the environment variable {}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut value = self.value();
        for level in self.key.iter().rev() {
            value = Value::from(Dict::from([(level.clone(), value)]));
        }
        let dict = value.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// One error as a sentence for an operator.
fn sentence(error: &figment::Error, file: &Path) -> String {
    let place = match &error.metadata {
        Some(metadata) if metadata.name.starts_with("the environment") => metadata.name.to_string(),
        _ => file.display().to_string(),
    };
    let path = error.path.join(".");
    let inside = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let what = match &error.kind {
        Kind::UnknownField(name, known) => {
            // Depending on where it was found, the path ends with the name itself.
            let path = path
                .strip_suffix(name.as_str())
                .map_or(path.as_str(), |path| path.trim_end_matches('.'));
            let full = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            format!("there is no setting '{full}'{}", suggestion(name, known))
        }
        Kind::MissingField(name) => format!("the setting '{}' is missing", inside(name)),
        Kind::UnknownVariant(name, known) => {
            format!("'{path}' cannot be '{name}'; it is {}", one_of(known))
        }
        Kind::InvalidType(actual, expected) => {
            format!("'{path}' should be {expected}, but is {}", describe(actual))
        }
        Kind::InvalidValue(actual, expected) => {
            format!("'{path}' should be {expected}, but is {}", describe(actual))
        }
        Kind::Message(text) if path.is_empty() => text.clone(),
        Kind::Message(text) => format!("'{path}': {text}"),
        other => format!("'{path}': {other}"),
    };
    format!("{place}: {what}")
}

/// The kind of a value; not the value, which may be a secret.
fn describe(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "a yes or no (true, false)",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}

fn suggestion(name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, candidate)) if likeness > 0.7 => format!("; do you mean '{candidate}'?"),
        _ if known.is_empty() => String::new(),
        _ => format!("; here it can be {}", one_of(known)),
    }
}

fn one_of(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|name| format!("'{name}'")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::load;
    use crate::config::{Config, Registration, Settings};

    const GOOD: &str = "[gateway.irc]\ndomain = 'irc.example.org'\nsecret = 's'\nnetwork = 'irc'\n";

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(file.path(), environment).map_err(|error| {
            error
                .to_string()
                .replace(&file.path().display().to_string(), "FILE")
        })
    }

    #[test]
    fn the_example_is_valid_and_complete() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/viaduct.example.toml");
        let config = load(path.as_ref(), []).expect("the example");
        let settings = Settings::resolve(config).expect("the example makes sense");
        assert_eq!(settings.gateways.len(), 1);
        let text = std::fs::read_to_string(path).expect("the example");
        for key in [
            "server",
            "allow_plain",
            "url",
            "key_file",
            "allow",
            "admins",
            "raw",
            "allow_private",
            "domain",
            "secret",
            "secret_file",
            "network",
            "registration",
            "allow_unregister",
            "history",
            "grace",
            "max_stanza",
        ] {
            assert!(
                text.contains(&format!("{key} =")),
                "the example does not show {key}"
            );
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        for (text, expected) in [
            (
                "[xmpp]\nsevrer = 'x'",
                "FILE: there is no setting 'xmpp.sevrer'; do you mean 'server'?",
            ),
            (
                "[gatway.irc]\ndomain = 'x'",
                "FILE: there is no setting 'gatway'; do you mean 'gateway'?",
            ),
            (
                "[gateway.irc]\ndomain = 'a.b'\nnetwork = 'irc'\nsecrets = 'x'",
                "FILE: there is no setting 'gateway.irc.secrets'; do you mean 'secret'?",
            ),
            (
                "[access]\nqq = 1",
                "FILE: there is no setting 'access.qq'; here it can be 'allow', 'admins' or 'raw'",
            ),
            (
                "[store]\nurI = 'x'",
                "FILE: there is no setting 'store.urI'; do you mean 'url'?",
            ),
        ] {
            assert_eq!(read(text, &[]).expect_err("unknown"), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        for (text, expected) in [
            (
                "[gateway.irc]\nnetwork = 'irc'",
                "FILE: the setting 'gateway.irc.domain' is missing",
            ),
            (
                "[xmpp]\nserver = 5347",
                "FILE: 'xmpp.server' should be a string, but is a whole number",
            ),
            (
                "[gateway.irc]\ndomain='a'\nnetwork='irc'\nregistration='maybe'",
                "FILE: 'gateway.irc.registration' cannot be 'maybe'; it is 'optional', 'required' or 'closed'",
            ),
        ] {
            assert_eq!(read(text, &[]).expect_err("wrong"), expected);
        }
        let error = read("[xmpp]\nserver = 'x'\nsecret = \"hunter2\n", &[]).expect_err("no TOML");
        assert!(error.starts_with("FILE: line 3 is not valid TOML: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let config = read(
            GOOD,
            &[
                ("VIADUCT_GATEWAY__IRC__SECRET", "0123"),
                ("VIADUCT_GATEWAY__IRC__REGISTRATION", "required"),
                ("VIADUCT_XMPP__ALLOW_PLAIN", "true"),
                ("VIADUCT_ACCESS__ADMINS", "[\"a@b\", \"c@d\"]"),
                ("VIADUCT_BIN", "/usr/bin/viaduct"),
                ("OTHER__THING", "1"),
            ],
        )
        .expect("valid");
        let gateway = &config.gateway["irc"];
        assert_eq!(
            gateway.secret.as_ref().map(|secret| secret.0.reveal()),
            Some("0123")
        );
        assert_eq!(gateway.registration, Registration::Required);
        assert!(config.xmpp.allow_plain);
        assert_eq!(config.access.admins, ["a@b", "c@d"]);
        let error = read(GOOD, &[("VIADUCT_XMPP__SERVR", "x")]).expect_err("unknown");
        assert_eq!(
            error,
            "the environment variable VIADUCT_XMPP__SERVR: there is no setting 'xmpp.servr'; do you mean 'server'?"
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = read(&GOOD.replace("'s'", "'hunter2'"), &[]).expect("valid");
        assert!(!format!("{config:?}").contains("hunter2"));
        let settings = Settings::resolve(config).expect("valid");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
