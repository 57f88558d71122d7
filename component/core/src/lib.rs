//! viaduct without IO: rooms, presence, registration, commands, discovery
