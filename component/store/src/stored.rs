//! The form in which composite values are stored. What is written here is a promise to later versions: fields may be
//! added with a default, never renamed.

pub(crate) mod settings;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use viaduct_bridge::{
    Account, Content, MessageKind, Name, PersonId, Recipient, RoomId, Secret, ServerId, Span, Style, Text,
};
use zeroize::Zeroizing;

/// A stored value does not say what it should.
pub(crate) type Unreadable = String;

/// An account, as it is sealed: its secrets stand in it, so the bytes are wiped from memory when they are dropped.
#[derive(Serialize)]
struct StoredAccount<'a> {
    name: &'a str,
    settings: BTreeMap<&'a str, &'a str>,
    secrets: BTreeMap<&'a str, &'a str>,
}

/// What is read back. Owned, because JSON escapes keep strings from being borrowed.
#[derive(Deserialize)]
struct ReadAccount {
    name: String,
    settings: BTreeMap<String, String>,
    secrets: BTreeMap<String, ReadSecret>,
}

/// A secret on its way out of JSON.
#[derive(Deserialize)]
#[serde(transparent)]
struct ReadSecret(String);

pub(crate) fn account_to_json(account: &Account) -> Zeroizing<Vec<u8>> {
    let settings = account
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let secrets = account
        .secrets
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.reveal()));
    let stored = StoredAccount {
        name: &account.name,
        settings: settings.collect(),
        secrets: secrets.collect(),
    };
    // Large enough from the start in the ordinary case: a vector that grows leaves copies behind.
    let mut json = Zeroizing::new(Vec::with_capacity(4096));
    serde_json::to_writer(&mut *json, &stored).expect("maps from strings to strings are JSON");
    json
}

pub(crate) fn account_from_json(json: &[u8]) -> Result<Account, Unreadable> {
    let read: ReadAccount =
        serde_json::from_slice(json).map_err(|_| "the account is not as expected".to_owned())?;
    let secrets = read.secrets.into_iter();
    Ok(Account {
        name: read.name,
        settings: read.settings,
        secrets: secrets
            .map(|(name, ReadSecret(secret))| (name, Secret::new(secret)))
            .collect(),
    })
}

#[derive(Serialize, Deserialize)]
struct StoredContent {
    kind: StoredKind,
    text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spans: Vec<(usize, usize, StoredStyle)>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredKind {
    Text,
    Emote,
    Notice,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredStyle {
    Bold,
    Italic,
    Strike,
    Code,
    CodeBlock,
    Quote,
}

pub(crate) fn content_to_json(content: &Content) -> String {
    let stored = StoredContent {
        kind: match content.kind {
            MessageKind::Text => StoredKind::Text,
            MessageKind::Emote => StoredKind::Emote,
            MessageKind::Notice => StoredKind::Notice,
        },
        text: content.text.plain.as_str().to_owned(),
        spans: content
            .text
            .spans
            .iter()
            .map(|span| {
                let style = match span.style {
                    Style::Bold => StoredStyle::Bold,
                    Style::Italic => StoredStyle::Italic,
                    Style::Strike => StoredStyle::Strike,
                    Style::Code => StoredStyle::Code,
                    Style::CodeBlock => StoredStyle::CodeBlock,
                    Style::Quote => StoredStyle::Quote,
                };
                (span.start, span.end, style)
            })
            .collect(),
    };
    serde_json::to_string(&stored).expect("strings, numbers and names are JSON")
}

pub(crate) fn content_from_json(json: &str) -> Result<Content, Unreadable> {
    let stored: StoredContent = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let spans = stored.spans.into_iter().map(|(start, end, style)| Span {
        start,
        end,
        style: match style {
            StoredStyle::Bold => Style::Bold,
            StoredStyle::Italic => Style::Italic,
            StoredStyle::Strike => Style::Strike,
            StoredStyle::Code => Style::Code,
            StoredStyle::CodeBlock => Style::CodeBlock,
            StoredStyle::Quote => Style::Quote,
        },
    });
    Ok(Content {
        kind: match stored.kind {
            StoredKind::Text => MessageKind::Text,
            StoredKind::Emote => MessageKind::Emote,
            StoredKind::Notice => MessageKind::Notice,
        },
        text: Text {
            spans: spans.collect(),
            plain: stored.text.into(),
        },
    })
}

/// A recipient as three columns: kind, server, name.
pub(crate) fn recipient_to_columns(recipient: &Recipient) -> (&'static str, &Name, &Name) {
    match recipient {
        Recipient::Room(room) => ("room", &room.server.0, &room.room),
        Recipient::Person(person) => ("person", &person.server.0, &person.person),
    }
}

pub(crate) fn recipient_from_columns(kind: &str, server: Name, name: Name) -> Result<Recipient, Unreadable> {
    let server = ServerId(server);
    match kind {
        "room" => Ok(Recipient::Room(RoomId { server, room: name })),
        "person" => Ok(Recipient::Person(PersonId { server, person: name })),
        other => Err(format!("'{other}' is no kind of recipient")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use viaduct_bridge::{Account, Content, MessageKind, Secret, Span, Style, Text};

    use super::{account_from_json, account_to_json, content_from_json, content_to_json};

    #[test]
    fn what_is_stored_reads_back() {
        let account = Account {
            name: "Ünïcödé \"quoted\" \\ \u{0}".into(),
            settings: BTreeMap::from([("host".into(), "irc.example.org".into())]),
            secrets: BTreeMap::from([("password".into(), Secret::new("p\"a\\s\ns"))]),
        };
        assert_eq!(account_from_json(&account_to_json(&account)), Ok(account));

        let styles = [
            Style::Bold,
            Style::Italic,
            Style::Strike,
            Style::Code,
            Style::CodeBlock,
            Style::Quote,
        ];
        for kind in [MessageKind::Text, MessageKind::Emote, MessageKind::Notice] {
            let spans = styles.map(|style| Span {
                start: 1,
                end: 4,
                style,
            });
            let content = Content {
                kind,
                text: Text {
                    plain: "näh".into(),
                    spans: spans.to_vec(),
                },
            };
            assert_eq!(content_from_json(&content_to_json(&content)), Ok(content));
        }
    }

    /// What is in databases already must stay readable.
    #[test]
    fn the_stored_form_is_a_promise() {
        let content = Content {
            kind: MessageKind::Emote,
            text: Text {
                plain: "waves".into(),
                spans: vec![Span {
                    start: 0,
                    end: 5,
                    style: Style::CodeBlock,
                }],
            },
        };
        let json = r#"{"kind":"emote","text":"waves","spans":[[0,5,"code_block"]]}"#;
        assert_eq!(content_to_json(&content), json);
        assert_eq!(
            content_from_json(r#"{"kind":"text","text":"hi"}"#),
            Ok(Content::plain("hi"))
        );
        let account = account_from_json(br#"{"name":"n","settings":{"a":"b"},"secrets":{"c":"d"}}"#);
        assert_eq!(account.expect("readable").secrets["c"], Secret::new("d"));
        assert!(account_from_json(b"{}").is_err());
    }
}
