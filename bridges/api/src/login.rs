//! Logging in, as steps that know no user interface. XEP-0077 shows the first form; the ad-hoc command and the chat
//! with the gateway show all of it.

use std::collections::BTreeMap;

use crate::BoxFuture;
use crate::failure::Failure;
use crate::secret::Secret;

/// What a user is registered with. The bridge alone knows what the settings mean.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// The name by which the network knows the user, for display: a nickname, a Matrix id.
    pub name: String,
    /// Settings, by field name.
    pub settings: BTreeMap<String, String>,
    /// Secrets, by field name. Sealed at rest.
    pub secrets: BTreeMap<String, Secret>,
}

/// What a user filled in, by field name.
pub type Answers = BTreeMap<String, String>;

/// A form to fill in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Form {
    /// A short title.
    pub title: String,
    /// One or two sentences on what to do.
    pub instructions: String,
    /// The fields, in order.
    pub fields: Vec<Field>,
}

/// One field of a form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name. Where XEP-0077 §14.1 has a name for it (`username`, `nick`, `password`, `name`, `email`), that one.
    pub name: &'static str,
    /// What the user reads.
    pub label: String,
    /// How it is filled in.
    pub kind: FieldKind,
    /// Whether it may be left empty.
    pub required: bool,
    /// What is in it at first. Secrets are never shown.
    pub value: String,
}

/// How a field is filled in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// One line of text.
    Text,
    /// One line that is not shown.
    Secret,
    /// Yes or no (`1` or `0`).
    Bool,
    /// Several lines of text.
    Lines,
    /// One of these: a value and its label.
    Choice(&'static [(&'static str, &'static str)]),
}

/// What comes next in a login.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Ask for more.
    Form(Form),
    /// Send the user to a web page; the flow goes on when they come back.
    OpenUrl {
        /// The page.
        url: String,
    },
    /// It worked. The account is to be kept.
    Done(Account),
    /// It did not work.
    Failed {
        /// The field to blame, where one is.
        field: Option<&'static str>,
        /// Why.
        failure: Failure,
    },
}

/// One login on its way.
pub trait LoginFlow: Send {
    /// Takes the user's answer to the last step and says what comes next. Checks credentials with the network before
    /// it says [`Step::Done`].
    fn next(&mut self, answers: Answers) -> BoxFuture<'_, Step>;
}
