//! The store as the gateway sees it, on both databases. PostgreSQL is tested when `VIADUCT_TEST_POSTGRES` holds the URL
//! of a server on which databases may be made, such as `postgres://postgres@127.0.0.1:5433/postgres`.

mod archive;
mod faults;
mod importing;
mod locking;
mod merging;
mod proxy;
mod records;
mod relations;
mod sealing;
mod support;
