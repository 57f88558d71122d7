//! The bridge against real IRC servers: ngircd and InspIRCd as Debian ships them, each started here on a free
//! loopback port in a temporary folder, and ended with the test. A server that is not installed is skipped.

mod inspircd;
mod ngircd;
mod support;
