//! The seam between viaduct and the networks it reaches
