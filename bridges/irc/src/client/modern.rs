//! What only servers with newer extensions need. It is kept apart because every connection has a client, and few need it.

use viaduct_bridge::Relations;

use crate::proto::caps::Told;
use crate::proto::multiline::Limits;

use super::missed::OpenPage;
use super::multiline::Open;
use super::read::Marks;
use super::signup::{self, SigningUp};
use super::typing::Typists;

/// The state of newer extensions.
#[derive(Default)]
pub(super) struct Modern {
    /// Open batches of what was missed.
    pub(super) pages: Vec<OpenPage>,
    /// What the core was told about relations.
    pub(super) told_relations: Relations,
    pub(super) typists: Typists,
    pub(super) sign_up: SigningUp,
    /// How much a message of several lines may have, where the server takes them.
    pub(super) multiline: Option<Limits>,
    /// Messages of several lines that have begun to come in.
    pub(super) open: Vec<Open>,
    pub(super) marks: Marks,
}

impl Modern {
    /// Takes what the server says of its capabilities beside their names.
    pub(super) fn offered(&mut self, told: &Told) {
        self.multiline = told.multiline.or(self.multiline);
        if let Some(value) = &told.account_registration {
            self.sign_up.rules = signup::rules_of(value);
        }
    }
}
