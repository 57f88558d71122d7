//! Rules that the repository keeps
