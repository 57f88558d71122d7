//! What only servers with newer extensions need. It is kept apart because every connection has a client, and few need it.

use viaduct_bridge::Relations;

use crate::proto::multiline::Limits;

use super::missed::OpenPage;
use super::multiline::Open;
use super::read::Marks;
use super::typing::Typists;

/// The state of newer extensions.
#[derive(Default)]
pub(super) struct Modern {
    /// Open batches of what was missed.
    pub(super) pages: Vec<OpenPage>,
    /// What the core was told about relations.
    pub(super) told_relations: Relations,
    pub(super) typists: Typists,
    /// How much a message of several lines may have, where the server takes them.
    pub(super) multiline: Option<Limits>,
    /// Messages of several lines that have begun to come in.
    pub(super) open: Vec<Open>,
    pub(super) marks: Marks,
}
