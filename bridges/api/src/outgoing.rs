//! Where connections made on a user's word may go.

use std::net::{IpAddr, Ipv6Addr};

use thiserror::Error;

/// The addresses that a server named by a user may have.
///
/// Loopback, private, link-local, multicast and otherwise special ranges are refused unless the operator listed them
/// in `[outgoing] allow_private`. A name is resolved first and each *address* is checked and then connected to, so
/// that a name cannot change its mind between check and use.
#[derive(Clone, Debug, Default)]
pub struct OutgoingPolicy {
    allowed: Vec<Range>,
}

/// A range such as `127.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    base: IpAddr,
    bits: u8,
}

/// A range that cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("'{0}' is not an address range such as 127.0.0.0/8 or fd00::/8")]
pub struct BadRange(String);

impl OutgoingPolicy {
    /// A policy that also permits the given ranges (`address/bits`, or one address).
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn new<S: AsRef<str>>(allow_private: &[S]) -> Result<Self, BadRange> {
        let allowed = allow_private
            .iter()
            .map(|text| Range::parse(text.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self { allowed })
    }

    /// Whether a connection to this address may be made on a user's word.
    #[must_use]
    pub fn permits(&self, ip: IpAddr) -> bool {
        let ip = canonical(ip);
        is_public(ip) || self.allowed.iter().any(|range| range.contains(ip))
    }
}

impl Range {
    fn parse(text: &str) -> Result<Self, BadRange> {
        let bad = || BadRange(text.to_owned());
        let (base, bits) = text
            .split_once('/')
            .map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.trim().parse().map_err(|_| bad())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits
                .trim()
                .parse()
                .ok()
                .filter(|bits| *bits <= most)
                .ok_or_else(bad)?,
            None => most,
        };
        Ok(Self { base, bits })
    }

    fn contains(self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                base.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                base.to_bits() & mask == ip.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4) are judged as that address.
fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    let segments = v6.segments();
    let v4_of = |high: u16, low: u16| IpAddr::V4(((u32::from(high) << 16) | u32::from(low)).into());
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4_of(high, low),
        [0x2002, high, low, ..] => v4_of(high, low),
        _ => ip,
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_unspecified()
                || v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_multicast()
                || v4.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let first = ip.segments()[0];
    // Global unicast is 2000::/3; documentation (2001:db8::/32) and the special 2001::/23 block are not for use.
    first & 0xe000 == 0x2000 && !(first == 0x2001 && (ip.segments()[1] == 0xdb8 || ip.segments()[1] < 0x200))
}

#[cfg(test)]
mod tests {
    use super::{BadRange, OutgoingPolicy};

    fn permits(policy: &OutgoingPolicy, ip: &str) -> bool {
        policy.permits(ip.parse().expect("an address in the test"))
    }

    #[test]
    fn private_ranges_are_closed_by_default() {
        let policy = OutgoingPolicy::default();
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "ff02::1",
            "198.18.0.1",
        ] {
            assert!(!permits(&policy, ip), "{ip} must be refused");
        }
        for ip in ["1.1.1.1", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"] {
            assert!(permits(&policy, ip), "{ip} must be permitted");
        }
    }

    #[test]
    fn the_operator_opens_ranges() {
        let policy = OutgoingPolicy::new(&["127.0.0.0/8", "fd12::/16", "10.0.0.7"]).expect("valid ranges");
        assert!(permits(&policy, "127.9.9.9"));
        assert!(permits(&policy, "::ffff:127.0.0.1"));
        assert!(permits(&policy, "fd12::1"));
        assert!(permits(&policy, "10.0.0.7"));
        assert!(!permits(&policy, "10.0.0.8"));
        assert!(!permits(&policy, "fd13::1"));
    }

    #[test]
    fn a_bad_range_is_named() {
        let bad = OutgoingPolicy::new(&["10.0.0.0/33"]).expect_err("too many bits");
        assert_eq!(bad, BadRange("10.0.0.0/33".into()));
    }
}
