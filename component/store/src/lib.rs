//! What viaduct remembers: SQL repositories for SQLite and PostgreSQL
