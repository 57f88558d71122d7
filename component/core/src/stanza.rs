//! Stanzas as they come in, and the answers that every kind of them can get (RFC 6120 §8).

use jid::Jid;
use minidom::Element;
use viaduct_bridge::{Failure, Name, Refusal};

use crate::ns;
use crate::xml::{Stanza, Xml};

/// The namespace of `xml:lang`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Which kind of stanza.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `<message/>`
    Message,
    /// `<presence/>`
    Presence,
    /// `<iq/>`
    Iq,
}

impl Kind {
    /// The name of the element.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Presence => "presence",
            Self::Iq => "iq",
        }
    }
}

/// A stanza from a client, with valid addresses.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Which kind.
    pub kind: Kind,
    /// Who sent it.
    pub from: Jid,
    /// To which of our addresses.
    pub to: Jid,
    /// The `id`, where it has one.
    pub id: Option<String>,
    /// The `type`, as it was written.
    pub ty: Option<String>,
    /// The whole stanza.
    pub element: Element,
}

/// A stanza that cannot be taken.
#[derive(Clone, Debug)]
pub struct Unusable {
    /// What to answer, unless it must not be answered.
    pub reply: Option<Stanza>,
}

impl Incoming {
    /// Reads what came over the component stream.
    ///
    /// # Errors
    /// With the answer to it (if it may be answered) when the stanza is of no known kind or its addresses are not valid.
    pub fn parse(element: Element) -> Result<Self, Unusable> {
        let kind = match element.name() {
            "message" => Kind::Message,
            "presence" => Kind::Presence,
            "iq" => Kind::Iq,
            _ => return Err(Unusable { reply: None }),
        };
        let attr = |name: &str| element.attr(name).map(str::to_owned);
        let (id, ty) = (attr("id"), attr("type"));
        let from = element.attr("from").map(Jid::new);
        let to = element.attr("to").map(Jid::new);
        let (from, to) = match (from, to) {
            (Some(Ok(from)), Some(Ok(to))) => (from, to),
            (Some(Ok(from)), Some(Err(_))) => {
                // Our address is not valid: tell the sender, from the address as it was written.
                let written = element.attr("to").unwrap_or_default();
                let reply = may_answer(kind, ty.as_deref()).then(|| {
                    error(
                        kind,
                        written,
                        from.as_str(),
                        id.as_deref(),
                        &Problem::new(Condition::JidMalformed),
                    )
                });
                return Err(Unusable { reply });
            }
            _ => return Err(Unusable { reply: None }),
        };
        Ok(Self {
            kind,
            from,
            to,
            id,
            ty,
            element,
        })
    }

    /// The `type`, empty when there is none.
    #[must_use]
    pub fn ty(&self) -> &str {
        self.ty.as_deref().unwrap_or("")
    }

    /// The resource of the sender; empty when it has none.
    #[must_use]
    pub fn resource(&self) -> Name {
        self.from
            .resource()
            .map_or("", |resource| resource.as_str())
            .into()
    }

    /// Whether the stanza is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.ty() == "error"
    }

    /// Whether it is an IQ that must be answered.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.kind == Kind::Iq && matches!(self.ty(), "get" | "set")
    }

    /// The child of a request that says what is asked.
    #[must_use]
    pub fn payload(&self) -> Option<&Element> {
        self.element.children().next()
    }

    /// The language of its sender, where it says so.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.element.attr_ns(XML, "lang")
    }

    /// The error that answers this stanza; `None` if it must not be answered.
    #[must_use]
    pub fn error(&self, problem: &Problem) -> Option<Stanza> {
        may_answer(self.kind, self.ty.as_deref()).then(|| {
            error(
                self.kind,
                self.to.as_str(),
                self.from.as_str(),
                self.id.as_deref(),
                problem,
            )
        })
    }

    /// Begins the result of this request.
    #[must_use]
    pub fn result(&self) -> Xml {
        let mut xml = Xml::stanza("iq", self.to.as_str(), self.from.as_str());
        xml.attr("type", "result")
            .attr("id", self.id.as_deref().unwrap_or_default());
        xml
    }

    /// An empty result.
    #[must_use]
    pub fn done(&self) -> Stanza {
        self.result().finish()
    }

    /// The best text of the stanza's children of one name: without a language, else the first.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<String> {
        let all = || {
            self.element
                .children()
                .filter(|child| child.is(name, ns::COMPONENT))
        };
        let no_lang = |child: &&Element| child.attr_ns(XML, "lang").is_none();
        all().find(no_lang).or_else(|| all().next()).map(Element::text)
    }
}

/// Errors and answers are never answered (RFC 6120 §8.3.1).
fn may_answer(kind: Kind, ty: Option<&str>) -> bool {
    match kind {
        Kind::Iq => !matches!(ty, Some("result" | "error")),
        Kind::Message | Kind::Presence => ty != Some("error"),
    }
}

/// The error conditions in use (RFC 6120 §8.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are those of RFC 6120 §8.3.3")]
pub enum Condition {
    BadRequest,
    Conflict,
    FeatureNotImplemented,
    Forbidden,
    InternalServerError,
    ItemNotFound,
    JidMalformed,
    NotAcceptable,
    NotAllowed,
    NotAuthorized,
    Redirect,
    RegistrationRequired,
    RemoteServerTimeout,
    ResourceConstraint,
    ServiceUnavailable,
    UndefinedCondition,
}

impl Condition {
    /// The element name, the usual error type (RFC 6120 §8.3.3) and the legacy code (XEP-0086 §3).
    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::BadRequest => ("bad-request", "modify", "400"),
            Self::Conflict => ("conflict", "cancel", "409"),
            Self::FeatureNotImplemented => ("feature-not-implemented", "cancel", "501"),
            Self::Forbidden => ("forbidden", "auth", "403"),
            Self::InternalServerError => ("internal-server-error", "wait", "500"),
            Self::ItemNotFound => ("item-not-found", "cancel", "404"),
            Self::JidMalformed => ("jid-malformed", "modify", "400"),
            Self::NotAcceptable => ("not-acceptable", "modify", "406"),
            Self::NotAllowed => ("not-allowed", "cancel", "405"),
            Self::NotAuthorized => ("not-authorized", "auth", "401"),
            Self::Redirect => ("redirect", "modify", "302"),
            Self::RegistrationRequired => ("registration-required", "auth", "407"),
            Self::RemoteServerTimeout => ("remote-server-timeout", "wait", "504"),
            Self::ResourceConstraint => ("resource-constraint", "wait", "500"),
            Self::ServiceUnavailable => ("service-unavailable", "cancel", "503"),
            Self::UndefinedCondition => ("undefined-condition", "wait", "500"),
        }
    }
}

/// Why a stanza was not done: a condition, words, and perhaps a more special condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The condition.
    pub condition: Condition,
    /// In words, for the user.
    pub text: Option<String>,
    /// An application-specific condition: element name and namespace (RFC 6120 §8.3.4).
    pub special: Option<(&'static str, &'static str)>,
    /// Where to go instead, as a URI (RFC 6120 §8.3.3.14).
    pub instead: Option<String>,
}

impl Problem {
    /// A condition that speaks for itself.
    #[must_use]
    pub fn new(condition: Condition) -> Self {
        Self {
            condition,
            text: None,
            special: None,
            instead: None,
        }
    }

    /// A condition with a reason.
    pub fn because(condition: Condition, text: impl Into<String>) -> Self {
        Self {
            condition,
            text: Some(text.into()),
            special: None,
            instead: None,
        }
    }

    /// The same is to be found at another JID, which is told as a URI and in words (RFC 6120 §8.3.3.14).
    #[must_use]
    pub fn redirect(jid: &str) -> Self {
        Self {
            instead: Some(format!("xmpp:{}", in_uri(jid))),
            ..Self::because(
                Condition::Redirect,
                format!("This is {jid}. Please use that address."),
            )
        }
    }

    /// Adds an application-specific condition.
    #[must_use]
    pub fn special(mut self, name: &'static str, namespace: &'static str) -> Self {
        self.special = Some((name, namespace));
        self
    }
}

/// The one table that turns failures of a network into stanza errors.
impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        let condition = match failure {
            Failure::Transient { .. } | Failure::NotLoggedIn { .. } => Condition::RemoteServerTimeout,
            Failure::Uncertain { .. } => Condition::UndefinedCondition,
            Failure::Unsupported { .. } => Condition::FeatureNotImplemented,
            Failure::Permanent { refusal, .. } => match refusal {
                Refusal::NotFound => Condition::ItemNotFound,
                Refusal::Forbidden | Refusal::Banned => Condition::Forbidden,
                Refusal::NotAllowed => Condition::NotAllowed,
                Refusal::Conflict => Condition::Conflict,
                Refusal::NotAcceptable => Condition::NotAcceptable,
                Refusal::NotAuthorized => Condition::NotAuthorized,
                Refusal::MembersOnly => Condition::RegistrationRequired,
                Refusal::Full | Refusal::Offline => Condition::ServiceUnavailable,
                Refusal::Throttled => Condition::ResourceConstraint,
                Refusal::NotInRoom => Condition::NotAcceptable,
                Refusal::Unreachable => Condition::RemoteServerTimeout,
            },
        };
        Self::because(condition, failure.to_string())
    }
}

/// A JID as the path of a URI (RFC 5122 §2.2): percent signs for what cannot stand there.
fn in_uri(jid: &str) -> String {
    use std::fmt::Write as _;
    let mut uri = String::with_capacity(jid.len());
    for byte in jid.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$()*+,;=@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// An error stanza.
#[must_use]
pub fn error(kind: Kind, from: &str, to: &str, id: Option<&str>, problem: &Problem) -> Stanza {
    let mut xml = Xml::stanza(kind.name(), from, to);
    xml.attr("type", "error").attr_opt("id", id);
    write_error(&mut xml, problem);
    xml.finish()
}

/// Writes the `<error/>` child.
pub fn write_error(xml: &mut Xml, problem: &Problem) {
    let (name, ty, code) = problem.condition.parts();
    xml.start("error").attr("type", ty).attr("code", code);
    match &problem.instead {
        Some(uri) => xml.start_ns(name, ns::STANZAS).text(uri).end(),
        None => xml.empty(name, ns::STANZAS),
    };
    if let Some(text) = &problem.text {
        xml.start_ns("text", ns::STANZAS)
            .attr("xml:lang", "en")
            .text(text)
            .end();
    }
    if let Some((name, namespace)) = problem.special {
        xml.empty(name, namespace);
    }
    xml.end();
}
