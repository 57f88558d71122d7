//! All cases, a module per feature.

mod join;
mod leave;
mod talk;
mod worlds;

use viaduct_gateway_tests::Case;

/// The cases of every module.
pub(crate) const ALL: &[&[Case]] = &[join::CASES, talk::CASES, leave::CASES, worlds::CASES];
