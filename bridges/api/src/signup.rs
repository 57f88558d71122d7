//! Getting an account on a server of the network, from where the user already is.

use crate::ids::Name;
use crate::secret::Secret;

/// How a server lets people register accounts, where it does ([`ServerEvent::SignUp`](crate::ServerEvent::SignUp)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SignUpRules {
    /// Whether the name of the account may be another than the nickname.
    pub chooses_name: bool,
    /// Whether an e-mail address is required.
    pub needs_email: bool,
}

/// One step of it ([`Command::SignUp`](crate::Command::SignUp)).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SignUp {
    /// Register.
    Begin {
        /// The name of the account; `None` for the nickname.
        account: Option<Name>,
        /// Where the server can write to.
        email: Option<Name>,
        /// The password of the account.
        password: Secret,
    },
    /// Prove to be who has registered, with the code that the server sent to the e-mail address.
    Verify {
        /// The name of the account.
        account: Name,
        /// The code.
        code: Secret,
    },
}

/// How far it has come, as the server says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedUp {
    /// The name of the account.
    pub account: Name,
    /// The server's words.
    pub words: Name,
    /// Whether the account is there; otherwise the server waits for [`SignUp::Verify`].
    pub done: bool,
}
