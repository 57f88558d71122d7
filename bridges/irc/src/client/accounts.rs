//! To which account people are logged in: IRCv3 extended-join, account-notify and account-tag, and WHOX for those who
//! were there before the user. A nickname is anybody's who takes it; an account is its owner's.

use viaduct_bridge::{Name, PersonEvent};

use crate::proto::caps::Cap;
use crate::proto::message::Message;

use super::{Client, is_sane};

/// The longest name of an account that is taken, in bytes.
const MOST_ACCOUNT: usize = 128;

impl Client {
    /// The account of who enters a channel: `JOIN #channel account :real name`, or the tag.
    pub(super) fn account_at_join(&self, message: &Message<'_>) -> Option<Name> {
        if self.caps.has(Cap::ExtendedJoin) {
            self.account_named(message.param(1))
        } else {
            self.account_named(&message.tags.get("account")?)
        }
    }

    /// ACCOUNT: somebody has logged in or out.
    pub(super) fn on_account(&mut self, message: &Message<'_>) {
        let person = self.fold(message.nick());
        let account = self.account_named(message.param(0));
        self.people.note_account(&person, account.as_ref());
        self.tell_account(person, account);
    }

    /// Somebody says something: whoever has no tag is logged in to no account.
    pub(super) fn account_of_message(&mut self, person: &Name, message: &Message<'_>) {
        if !self.caps.has(Cap::AccountTag) {
            return;
        }
        let tag = message.tags.get("account");
        let account = tag.and_then(|account| self.account_named(&account));
        if self.people.note_account(person, account.as_ref()) {
            self.tell_account(person.clone(), account);
        }
    }

    /// The account of somebody in the answer to WHO, if the server has told.
    pub(super) fn account_of_who(&mut self, person: &Name, told: Option<&&str>) {
        if let Some(told) = told {
            let account = self.account_named(told);
            self.tell_account(person.clone(), account);
        }
    }

    fn tell_account(&mut self, person: Name, account: Option<Name>) {
        // The user's own place is kept by the gateway, whoever the server takes them for.
        if person == self.me {
            return;
        }
        for snapshot in self.rooms.snapshots() {
            snapshot.account(&person, account.as_ref());
        }
        self.tell_person(person, PersonEvent::Account { account });
    }

    /// The folded name of an account; `*` (and `0` in WHOX) stands for none.
    fn account_named(&self, name: &str) -> Option<Name> {
        let sane = is_sane(name) && name.len() <= MOST_ACCOUNT && !matches!(name, "*" | "0");
        sane.then(|| self.fold(name))
    }
}
