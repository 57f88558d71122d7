//! Transcript tests (placeholder until the driver is in).
