//! The form of a user's settings, and the reading of its answers.

use viaduct_bridge::{Answers, BadSetting, Field, FieldKind, Form, Scope, Secret, Settings};

use super::{
    ACCOUNT, ACCOUNT_PASSWORD, COMMANDS, ENCODING_IN, ENCODING_OUT, FINGERPRINT, FORGET, MOTD, NICK,
    PASSWORD, PER_SECOND, PORTS, REALNAME, TLS_PORTS, USERNAME, VERIFY, ports,
};
use crate::address::is_nick;
use crate::config::{Flood, IrcConfig};
use crate::conn::tls::Trust;
use crate::proto::charset::named;
use crate::proto::line::Line;

/// The most lines that are sent after connecting.
const MOST_COMMANDS: usize = 20;
/// The most bytes of one of them.
const MOST_LINE: usize = 500;
/// The most characters of a setting of one line.
const MOST_TEXT: usize = 300;

/// What can be set within a scope, with what is set now.
pub(crate) fn form(config: &IrcConfig, scope: &Scope, settings: &Settings) -> Form {
    let mut fields: Vec<Field> = Vec::new();
    let mut field = |name, label: String, kind| {
        let value = match kind {
            FieldKind::Secret => "",
            FieldKind::Bool => settings
                .value(name)
                .unwrap_or(if name == VERIFY { "1" } else { "0" }),
            _ => settings.value(name).unwrap_or_default(),
        };
        fields.push(Field {
            name,
            label,
            kind,
            required: false,
            value: value.to_owned(),
        });
    };
    let encodings = [
        (ENCODING_IN, "Encoding when not UTF-8 (e.g. windows-1251)"),
        (ENCODING_OUT, "Encoding of what I write (empty: UTF-8)"),
    ];
    match scope {
        Scope::Everything => {}
        Scope::Room(_) => {
            for (name, label) in encodings {
                field(name, format!("{label}, in this channel"), FieldKind::Text);
            }
        }
        Scope::Server(server) => {
            let plan = config.plan(server.as_str());
            let text = FieldKind::Text;
            field(NICK, "Nickname (empty: the one I join with)".into(), text);
            field(USERNAME, "User name (empty: from my address)".into(), text);
            field(REALNAME, "Real name, shown to everybody".into(), text);
            field(
                PASSWORD,
                "Password of the server, if it asks for one (empty: unchanged)".into(),
                FieldKind::Secret,
            );
            field(ACCOUNT, "Account name, if registered here (SASL)".into(), text);
            field(
                ACCOUNT_PASSWORD,
                "Password of the account (empty: unchanged)".into(),
                FieldKind::Secret,
            );
            if !settings.secrets.is_empty() {
                field(FORGET, "Forget the passwords".into(), FieldKind::Bool);
            }
            let label = "Commands to send after connecting, one in each line, such as PRIVMSG NickServ :help";
            field(COMMANDS, label.into(), FieldKind::Lines);
            if plan.by_default {
                field(
                    TLS_PORTS,
                    "Ports with TLS, separated by commas (empty: 6697)".into(),
                    text,
                );
                if config.allow_plain {
                    let label =
                        "Ports without encryption, tried when those with TLS are closed (empty: 6667)";
                    field(PORTS, label.into(), text);
                }
            }
            if plan.trust_is_users {
                field(VERIFY, "Check the server's certificate".into(), FieldKind::Bool);
                let label = "SHA-256 fingerprint of the certificate that I trust instead (64 digits)";
                field(FINGERPRINT, label.into(), text);
            }
            for (name, label) in encodings {
                field(name, label.into(), text);
            }
            let label = match plan.flood {
                Flood::Off => "Lines per second that I send at most (empty: no limit)".to_owned(),
                Flood::Rate { per_second, .. } => {
                    format!("Lines per second that I send at most, up to {per_second}")
                }
            };
            field(PER_SECOND, label, text);
            field(
                MOTD,
                "Show me the server's message of the day".into(),
                FieldKind::Bool,
            );
        }
    }
    Form {
        fields,
        ..Form::default()
    }
}

/// Takes answers to [`form`]. A field that is missing stays as it was; an empty one goes back to its default, but an
/// empty password stays.
pub(crate) fn read(
    config: &IrcConfig,
    scope: &Scope,
    settings: &Settings,
    answers: &Answers,
) -> Result<Settings, BadSetting> {
    let mut new = settings.clone();
    let form = form(config, scope, settings);
    for field in &form.fields {
        let Some(answer) = answers.get(field.name).map(|answer| answer.trim()) else {
            continue;
        };
        match field.kind {
            FieldKind::Secret => {
                if !answer.is_empty() {
                    check_length(field.name, answer)?;
                    new.secrets.insert(field.name.to_owned(), Secret::new(answer));
                }
            }
            FieldKind::Bool => {
                let yes = match answer.to_lowercase().as_str() {
                    "1" | "true" | "yes" => true,
                    "" | "0" | "false" | "no" => false,
                    other => return Err(bad(field.name, format!("'{other}' is neither yes nor no"))),
                };
                let default = field.name == VERIFY;
                new.set(
                    field.name,
                    if yes == default {
                        ""
                    } else if yes {
                        "1"
                    } else {
                        "0"
                    },
                );
            }
            _ => {
                check(field.name, answer)?;
                new.set(field.name, answer);
            }
        }
    }
    if new.value(FORGET) == Some("1") {
        new.secrets.clear();
    }
    new.set(FORGET, "");
    if new.value(ACCOUNT).is_some() && !new.secrets.contains_key(ACCOUNT_PASSWORD) {
        return Err(bad(ACCOUNT_PASSWORD, "The account has a password.".into()));
    }
    Ok(new)
}

fn bad(field: &'static str, reason: String) -> BadSetting {
    BadSetting { field, reason }
}

fn check_length(field: &'static str, answer: &str) -> Result<(), BadSetting> {
    if answer.chars().count() > MOST_TEXT {
        return Err(bad(field, format!("This is longer than {MOST_TEXT} characters.")));
    }
    Ok(())
}

/// Whether a setting can be so.
fn check(field: &'static str, answer: &str) -> Result<(), BadSetting> {
    if answer.is_empty() {
        return Ok(());
    }
    if field == COMMANDS {
        let lines: Vec<&str> = answer.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.len() > MOST_COMMANDS {
            return Err(bad(field, format!("At most {MOST_COMMANDS} lines can be sent.")));
        }
        if let Some(long) = lines.iter().find(|line| line.len() > MOST_LINE) {
            let start: String = long.chars().take(20).collect();
            return Err(bad(
                field,
                format!("The line '{start}…' has more than {MOST_LINE} bytes."),
            ));
        }
        return match lines.iter().find(|line| Line::raw(line).is_none()) {
            Some(line) => Err(bad(field, format!("'{line}' does not begin with a command."))),
            None => Ok(()),
        };
    }
    check_length(field, answer)?;
    match field {
        NICK if !is_nick(answer) => Err(bad(field, format!("'{answer}' cannot be a nickname on IRC."))),
        USERNAME
            if !answer
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) =>
        {
            let words = "A user name has letters, digits, '-', '_' and '.' only.";
            Err(bad(field, words.into()))
        }
        TLS_PORTS | PORTS => ports(answer).map(drop).map_err(|reason| bad(field, reason)),
        FINGERPRINT if Trust::fingerprint(answer).is_none() => {
            let words = "This is no SHA-256 fingerprint: it has 64 hexadecimal digits.";
            Err(bad(field, words.into()))
        }
        ENCODING_IN | ENCODING_OUT if named(answer).is_none() => Err(bad(
            field,
            format!("'{answer}' is no character encoding that IRC can have."),
        )),
        PER_SECOND => match answer.parse::<f64>() {
            Ok(number) if number.is_finite() && number > 0.0 => Ok(()),
            _ => Err(bad(field, format!("'{answer}' is not a number above zero."))),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use viaduct_bridge::{Answers, Scope, ServerId, Settings};

    use super::{form, read};
    use crate::config::{Flood, IrcConfig};
    use crate::settings::Personal;

    fn config(text: &str) -> IrcConfig {
        toml::from_str(text).expect("a valid table")
    }

    fn server() -> Scope {
        Scope::Server(ServerId("irc.test".into()))
    }

    fn answers(pairs: &[(&str, &str)]) -> Answers {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    fn set(config: &IrcConfig, before: &Settings, pairs: &[(&str, &str)]) -> Result<Settings, String> {
        read(config, &server(), before, &answers(pairs)).map_err(|bad| format!("{}: {bad}", bad.field))
    }

    #[test]
    fn what_is_left_out_stays_and_what_is_empty_goes_back() {
        let config = config("");
        let first = [
            ("nick", "bob"),
            ("password", "hunter2"),
            ("verify_cert", "0"),
            ("tls_ports", "7000, 7001"),
        ];
        let settings = set(&config, &Settings::default(), &first).expect("valid");
        assert_eq!(set(&config, &settings, &[]), Ok(settings.clone()));
        let changed = set(
            &config,
            &settings,
            &[("nick", ""), ("password", ""), ("verify_cert", "true")],
        );
        let changed = changed.expect("valid");
        assert_eq!(changed.value("nick"), None);
        assert_eq!(changed.value("verify_cert"), None, "back at its default");
        assert_eq!(changed.secrets.len(), 1, "an empty password stays");
        assert_eq!(changed.value("tls_ports"), Some("7000, 7001"));
        let forgotten = set(&config, &changed, &[("forget_passwords", "1")]).expect("valid");
        assert!(forgotten.secrets.is_empty() && forgotten.value("forget_passwords").is_none());
    }

    #[test]
    fn mistakes_are_named() {
        let config = config("allow_plain = true");
        for (field, value) in [
            ("nick", "two words"),
            ("username", "a@b"),
            ("ports", "70000"),
            ("tls_ports", "1,2,3,4,5,6,7,8,9"),
            ("fingerprint", "12:34"),
            ("encoding_in", "klingon"),
            ("encoding_out", "utf-16"),
            ("lines_per_second", "-1"),
            ("after_connect_commands", "LIST\n:what"),
            ("sasl_account", "bob"),
            ("verify_cert", "perhaps"),
        ] {
            let error = set(&config, &Settings::default(), &[(field, value)]).expect_err(field);
            let expected = if field == "sasl_account" {
                "sasl_password"
            } else {
                field
            };
            assert!(error.starts_with(expected), "{field}: {error}");
        }
    }

    #[test]
    fn what_the_operator_has_fixed_is_not_asked() {
        let config = config("[servers.'irc.test']\nports = [7000]\naccept_invalid = true");
        let names: Vec<&str> = form(&config, &server(), &Settings::default())
            .fields
            .iter()
            .map(|f| f.name)
            .collect();
        for fixed in ["tls_ports", "ports", "verify_cert", "fingerprint"] {
            assert!(!names.contains(&fixed), "{fixed}: {names:?}");
        }
        let settings = set(&config, &Settings::default(), &[("tls_ports", "9999")]).expect("valid");
        assert!(settings.is_empty(), "nor taken");
    }

    /// Whoever could choose where the operator's secrets go, or how the other end proves itself, could have them.
    #[test]
    fn where_the_operators_secrets_go_is_not_the_users_to_say() {
        for secret in [
            "password = 'x'",
            "webirc = { password = 'x', addresses = '192.0.2.0/24' }",
        ] {
            let config = config(&format!("allow_plain = true\n[servers.'irc.test']\n{secret}"));
            let wishes = [
                ("tls_ports", "9999"),
                ("ports", "6667"),
                ("verify_cert", "0"),
                ("fingerprint", &"ab".repeat(32)),
            ];
            // Also what was set before the operator had secrets counts no more.
            let open = toml::from_str("allow_plain = true").expect("a valid table");
            let settings = set(&open, &Settings::default(), &wishes).expect("valid");
            let mut plan = config.plan("irc.test");
            Personal::of(&settings).apply(&mut plan, &config);
            assert_eq!(
                (&plan.tls_ports[..], &plan.plain_ports[..]),
                (&[6697][..], &[][..]),
                "{secret}"
            );
            assert!(plan.trust.is_none() && !plan.personal, "{secret}");
        }
    }

    #[test]
    fn a_plan_becomes_the_users() {
        let strict = config("flood = { burst = 4, per_second = 2.0 }");
        let first = [
            ("tls_ports", "7000"),
            ("lines_per_second", "9"),
            ("ports", "6660"),
        ];
        let settings = set(&strict, &Settings::default(), &first).expect("valid");
        let mut plan = strict.plan("irc.test");
        Personal::of(&settings).apply(&mut plan, &strict);
        assert_eq!((plan.tls_ports, plan.plain_ports), (vec![7000], vec![]));
        assert_eq!(
            plan.flood,
            Flood::Rate {
                burst: 4,
                per_second: 2.0
            },
            "not faster than permitted"
        );

        let open = config("allow_plain = true");
        let settings = set(
            &open,
            &Settings::default(),
            &[("ports", "6660"), ("lines_per_second", "0.1")],
        );
        let mut plan = open.plan("irc.test");
        Personal::of(&settings.expect("valid")).apply(&mut plan, &open);
        assert_eq!((plan.tls_ports, plan.plain_ports), (vec![6697], vec![6660]));
        assert!(plan.plain_is_fallback, "TLS is tried first all the same");
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = config("");
        let settings = set(&config, &Settings::default(), &[("password", "hunter2")]).expect("valid");
        let shown = format!("{:?}", form(&config, &server(), &settings));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
