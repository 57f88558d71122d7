//! Journeys through the gateway on real servers
