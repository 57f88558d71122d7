//! What viaduct costs, beside its peers
