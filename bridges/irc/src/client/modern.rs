//! What only servers with newer extensions need. It is kept apart because every connection has a client, and few need it.

use viaduct_bridge::Relations;

use super::missed::OpenPage;
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
    pub(super) marks: Marks,
}
