//! Addresses to give to users: ranges and single ones, as the configuration names them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

/// Ranges of addresses, such as `2001:db8::/64`, and single ones. Each user gets one of them, and always the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PoolForm")]
pub struct AddressPool(Vec<Range>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    /// The first address that is given to somebody, as a number.
    first: u128,
    /// How many there are; saturated.
    size: u128,
    is_v6: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PoolForm {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<PoolForm> for AddressPool {
    type Error = String;

    fn try_from(form: PoolForm) -> Result<Self, Self::Error> {
        let texts = match form {
            PoolForm::One(text) => vec![text],
            PoolForm::Many(texts) => texts,
        };
        if texts.is_empty() {
            return Err("a list of addresses has at least one address or range in it".to_owned());
        }
        let ranges: Result<_, _> = texts.iter().map(|text| Range::parse(text)).collect();
        ranges.map(Self)
    }
}

impl AddressPool {
    /// The address at this place, counted around and around, among those of a kind. `None` if there is none of the
    /// kind.
    pub(crate) fn nth(&self, number: u128, v6: bool) -> Option<IpAddr> {
        let ranges = || self.0.iter().filter(|range| range.is_v6 == v6);
        let all = ranges().fold(0_u128, |all, range| all.saturating_add(range.size));
        let mut left = number.checked_rem(all)?;
        for range in ranges() {
            if left < range.size {
                return range.at(left);
            }
            left -= range.size;
        }
        None
    }
}

impl Range {
    fn parse(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "'{text}' is neither an address nor a range such as 2001:db8::/64, which begins with its first address"
            )
        };
        let (base, bits) = text.split_once('/').unwrap_or((text, ""));
        let base: IpAddr = base.trim().parse().map_err(|_| bad())?;
        let (number, width) = match base {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let bits: u32 = match bits.trim() {
            "" if !text.contains('/') => width,
            bits => bits.parse().map_err(|_| bad())?,
        };
        let host_bits = width.checked_sub(bits).ok_or_else(bad)?;
        let size = 1_u128.checked_shl(host_bits).unwrap_or(u128::MAX);
        if number & (size - 1) != 0 {
            return Err(bad());
        }
        // The first address of a network means its routers or itself (RFC 4291 §2.6.1), the last one in IPv4 everybody.
        let is_v6 = base.is_ipv6();
        let (first, size) = match (host_bits, is_v6) {
            (0 | 1, _) => (number, size),
            (_, true) => (number + 1, size - 1),
            (_, false) => (number + 1, size - 2),
        };
        Ok(Self { first, size, is_v6 })
    }

    fn at(self, place: u128) -> Option<IpAddr> {
        let number = self.first.checked_add(place)?;
        Some(if self.is_v6 {
            Ipv6Addr::from_bits(number).into()
        } else {
            Ipv4Addr::from_bits(u32::try_from(number).ok()?).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AddressPool, PoolForm};

    fn pool(texts: &[&str]) -> Result<AddressPool, String> {
        PoolForm::Many(texts.iter().map(|text| (*text).to_owned()).collect()).try_into()
    }

    #[test]
    fn addresses_of_ranges() {
        let nth = |texts: &[&str], number, v6| {
            let pool = pool(texts).expect("valid");
            pool.nth(number, v6).map(|ip| ip.to_string()).unwrap_or_default()
        };
        assert_eq!(nth(&["2001:db8::/64"], 0, true), "2001:db8::1");
        assert_eq!(
            nth(&["2001:db8::/64"], u128::from(u64::MAX) - 1, true),
            "2001:db8::ffff:ffff:ffff:ffff"
        );
        assert_eq!(nth(&["2001:db8::/64"], u128::from(u64::MAX), true), "2001:db8::1");
        assert_eq!(nth(&["2001:db8::/64"], 0, false), "");
        assert_eq!(nth(&["192.0.2.0/30"], 1, false), "192.0.2.2");
        assert_eq!(nth(&["192.0.2.0/30"], 2, false), "192.0.2.1");
        assert_eq!(nth(&["192.0.2.6/31"], 1, false), "192.0.2.7");
        let mixed = ["192.0.2.7", "2001:db8::7", "198.51.100.0/30"];
        let all: Vec<_> = (0..4).map(|number| nth(&mixed, number, false)).collect();
        assert_eq!(all, ["192.0.2.7", "198.51.100.1", "198.51.100.2", "192.0.2.7"]);
        assert_eq!(nth(&mixed, 12345, true), "2001:db8::7");
        assert_eq!(nth(&["::/0"], 0, true), "::1");
    }

    #[test]
    fn what_is_no_range() {
        for text in [
            "",
            "x",
            "2001:db8::1/64",
            "192.0.2.0/33",
            "192.0.2.0/",
            "2001:db8::/-1",
        ] {
            let words = pool(&[text]).expect_err(text);
            assert!(words.contains(text), "{words}");
        }
        assert!(pool(&[]).is_err());
    }

    proptest! {
        #[test]
        fn every_number_has_an_address(base: u128, bits in 0_u32..=128, number: u128) {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            let base = std::net::Ipv6Addr::from_bits(base & mask);
            let pool = pool(&[&format!("{base}/{bits}")]).expect("valid");
            let Some(std::net::IpAddr::V6(ip)) = pool.nth(number, true) else {
                panic!("{base}/{bits} has no address");
            };
            prop_assert_eq!(ip.to_bits() & mask, base.to_bits());
        }
    }
}
