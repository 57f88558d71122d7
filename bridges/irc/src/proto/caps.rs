//! IRCv3 capability negotiation (capability-negotiation 3.2): which are wanted, which a server has.

use super::multiline::Limits;
use super::sts::Sts;

/// One capability that this bridge makes use of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    missing_docs,
    reason = "each is named after the capability of the IRCv3 registry"
)]
#[repr(u8)]
pub enum Cap {
    MessageTags,
    ServerTime,
    MultiPrefix,
    UserhostInNames,
    AwayNotify,
    ExtendedMonitor,
    AccountNotify,
    AccountTag,
    ExtendedJoin,
    Chghost,
    Setname,
    EchoMessage,
    LabeledResponse,
    Batch,
    CapNotify,
    InviteNotify,
    StandardReplies,
    Sasl,
    MessageRedaction,
    ChatHistory,
    ChannelRename,
    ReadMarker,
    Multiline,
    AccountRegistration,
}

const NAMES: [(Cap, &str); 24] = [
    (Cap::MessageTags, "message-tags"),
    (Cap::ServerTime, "server-time"),
    (Cap::MultiPrefix, "multi-prefix"),
    (Cap::UserhostInNames, "userhost-in-names"),
    (Cap::AwayNotify, "away-notify"),
    (Cap::ExtendedMonitor, "extended-monitor"),
    (Cap::AccountNotify, "account-notify"),
    (Cap::AccountTag, "account-tag"),
    (Cap::ExtendedJoin, "extended-join"),
    (Cap::Chghost, "chghost"),
    (Cap::Setname, "setname"),
    (Cap::EchoMessage, "echo-message"),
    (Cap::LabeledResponse, "labeled-response"),
    (Cap::Batch, "batch"),
    (Cap::CapNotify, "cap-notify"),
    (Cap::InviteNotify, "invite-notify"),
    (Cap::StandardReplies, "standard-replies"),
    (Cap::Sasl, "sasl"),
    (Cap::MessageRedaction, "draft/message-redaction"),
    (Cap::ChatHistory, "draft/chathistory"),
    (Cap::ChannelRename, "draft/channel-rename"),
    (Cap::ReadMarker, "draft/read-marker"),
    (Cap::Multiline, "draft/multiline"),
    (Cap::AccountRegistration, "draft/account-registration"),
];

impl Cap {
    /// The capability of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, n)| *n == name).map(|(cap, _)| *cap)
    }
}

/// The values in an offer that matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// The mechanisms of `sasl`; empty where it is offered without saying which.
    pub mechanisms: Option<String>,
    /// How much a message of several lines may have.
    pub multiline: Option<Limits>,
    /// The value of `draft/account-registration`.
    pub account_registration: Option<String>,
    /// The policy of `sts`.
    pub sts: Option<Sts>,
}

/// A set of capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CapSet(u32);

impl CapSet {
    /// Whether it is in the set.
    #[must_use]
    pub fn has(self, cap: Cap) -> bool {
        self.0 & (1 << cap as u8) != 0
    }

    /// Adds one.
    pub fn add(&mut self, cap: Cap) {
        self.0 |= 1 << cap as u8;
    }

    /// Takes one away.
    pub fn remove(&mut self, cap: Cap) {
        self.0 &= !(1 << cap as u8);
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The capabilities in it.
    pub fn iter(self) -> impl Iterator<Item = Cap> {
        NAMES
            .iter()
            .map(|(cap, _)| *cap)
            .filter(move |cap| self.has(*cap))
    }

    /// Their names with spaces between, as `CAP REQ` takes them.
    #[must_use]
    pub fn names(self) -> String {
        let names: Vec<&str> = NAMES
            .iter()
            .filter(|(cap, _)| self.has(*cap))
            .map(|(_, name)| *name)
            .collect();
        names.join(" ")
    }

    /// Reads the list of `CAP LS` or `CAP NEW`; gives what is told beside the names.
    pub fn read_offer(&mut self, list: &str) -> Told {
        let mut told = Told::default();
        for entry in list.split_ascii_whitespace() {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            if let Some(cap) = Cap::named(name) {
                self.add(cap);
                match cap {
                    Cap::Sasl => told.mechanisms = Some(value.to_owned()),
                    Cap::Multiline => told.multiline = Limits::parse(value),
                    Cap::AccountRegistration => told.account_registration = Some(value.to_owned()),
                    _ => {}
                }
            } else if name == "sts" {
                // No capability of this set: it must never be asked for.
                told.sts = Some(Sts::parse(value));
            }
        }
        told
    }

    /// Takes the list of `CAP ACK`: what is acknowledged is on, with a `-` off.
    pub fn read_ack(&mut self, list: &str) {
        for entry in list.split_ascii_whitespace() {
            if let Some(cap) = entry.strip_prefix('-').and_then(Cap::named) {
                self.remove(cap);
            } else if let Some(cap) = Cap::named(entry) {
                self.add(cap);
            }
        }
    }

    /// Takes the list of `CAP DEL`.
    pub fn read_del(&mut self, list: &str) {
        for cap in list.split_ascii_whitespace().filter_map(Cap::named) {
            self.remove(cap);
        }
    }

    /// What to ask for out of this offer. `labeled-response` needs `batch`, `draft/multiline` that and
    /// `message-tags`, `draft/message-redaction` needs
    /// `message-tags`; `sasl` is asked for where it is used.
    #[must_use]
    pub fn wanted(self, sasl: bool) -> Self {
        let mut wanted = self;
        if !sasl {
            wanted.remove(Cap::Sasl);
        }
        if !self.has(Cap::MessageTags) {
            wanted.remove(Cap::MessageRedaction);
        }
        let needed = [Cap::Batch, Cap::ServerTime, Cap::MessageTags];
        if !needed.into_iter().all(|cap| self.has(cap)) {
            wanted.remove(Cap::ChatHistory);
        }
        if !self.has(Cap::Batch) {
            wanted.remove(Cap::LabeledResponse);
        }
        if !(self.has(Cap::Batch) && self.has(Cap::MessageTags)) {
            wanted.remove(Cap::Multiline);
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::{Cap, CapSet};

    #[test]
    fn an_offer_and_its_answer() {
        let mut offer = CapSet::default();
        let told = offer
            .read_offer("multi-prefix sasl=PLAIN,EXTERNAL unknown labeled-response draft/x=y sts=port=6697");
        assert_eq!(told.mechanisms.as_deref(), Some("PLAIN,EXTERNAL"));
        assert_eq!(told.sts.and_then(|sts| sts.port), Some(6697));
        assert_eq!(offer.wanted(true).names(), "multi-prefix sasl");
        assert_eq!(offer.wanted(false).names(), "multi-prefix");
        offer.read_offer("batch");
        assert_eq!(offer.wanted(false).names(), "multi-prefix labeled-response batch");

        let mut on = CapSet::default();
        on.read_ack("batch multi-prefix");
        on.read_ack("-batch");
        assert!(on.has(Cap::MultiPrefix) && !on.has(Cap::Batch));
        on.read_del("multi-prefix other");
        assert!(on.is_empty());
        assert_eq!(offer.without(on), offer);
        assert_eq!(offer.iter().count(), 4);
    }
}
