//! What is kept of a stanza so that its sender can be told when it was lost to a fault of ours.

use viaduct_core::stanza::{Condition, Incoming, Kind, Problem, error};
use viaduct_core::xml::Stanza;

/// The addresses and the id of a stanza, in one allocation.
pub(super) struct Receipt {
    kind: Kind,
    has_id: bool,
    from: u16,
    to: u16,
    text: Box<str>,
}

impl Receipt {
    /// `None` for what must not or need not be answered.
    pub(super) fn of(incoming: &Incoming) -> Option<Self> {
        let answered = match incoming.kind {
            Kind::Iq => incoming.is_request(),
            Kind::Message => !incoming.is_error(),
            Kind::Presence => incoming.ty().is_empty(),
        };
        if !answered {
            return None;
        }
        let (from, to) = (incoming.from.as_str(), incoming.to.as_str());
        let id = incoming.id.as_deref();
        let text = [from, to, id.unwrap_or_default()].concat().into_boxed_str();
        // A JID has at most 3071 bytes.
        let (from, to) = (u16::try_from(from.len()).ok()?, u16::try_from(to.len()).ok()?);
        Some(Self {
            kind: incoming.kind,
            has_id: id.is_some(),
            from,
            to,
            text,
        })
    }

    /// Tells the sender that it was lost.
    pub(super) fn lost(&self) -> Stanza {
        self.refuse(&Problem::because(
            Condition::InternalServerError,
            "The gateway could not take this because of an error of its own. Please try again.",
        ))
    }

    fn refuse(&self, problem: &Problem) -> Stanza {
        let (from, rest) = self.text.split_at(usize::from(self.from));
        let (to, id) = rest.split_at(usize::from(self.to));
        error(self.kind, to, from, self.has_id.then_some(id), problem)
    }
}

#[cfg(test)]
mod tests {
    use viaduct_core::stanza::Incoming;

    use super::Receipt;

    fn receipt(xml: &str) -> Option<Receipt> {
        let xml = xml.replacen(' ', " xmlns='jabber:component:accept' from='a@b/ü' to='d@e' ", 1);
        Receipt::of(&Incoming::parse(xml.parse().expect("well-formed")).expect("a stanza"))
    }

    #[test]
    fn the_sender_is_told_from_the_address_that_was_written_to() {
        let lost = receipt("<message id='1'><body>x</body></message>")
            .expect("answered")
            .lost();
        let lost = lost.as_str();
        assert!(
            lost.starts_with("<message from='d@e' to='a@b/ü' type='error' id='1'><error type='wait'"),
            "{lost}"
        );
        assert!(
            !receipt("<iq type='get'/>")
                .expect("answered")
                .lost()
                .as_str()
                .contains(" id=")
        );
        for silent in [
            "<iq type='result'/>",
            "<message type='error'/>",
            "<presence type='unavailable'/>",
        ] {
            assert!(receipt(silent).is_none(), "{silent}");
        }
    }
}
