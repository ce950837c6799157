//! Which addresses may send.

use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

/// The bits before the IPv4 address in an IPv6 address that stands for one (`::ffff:0:0/96`).
const MAPPED_PREFIX_LEN: u8 = 96;

/// Blocks of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins(Option<Vec<IpNet>>);

impl Origins {
    /// Every address.
    pub fn all() -> Self {
        Self(None)
    }

    /// The addresses in any of the blocks.
    pub fn of(blocks: Vec<IpNet>) -> Self {
        Self(Some(blocks.into_iter().map(unmapped).collect()))
    }

    /// Whether an address may send. An IPv4 address is one however it is written.
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.as_ref().is_none_or(|blocks| blocks.iter().any(|block| block.contains(&address)))
    }
}

/// A block of IPv4 addresses that is written as one of IPv6 is one of IPv4.
fn unmapped(block: IpNet) -> IpNet {
    let IpNet::V6(v6) = block else { return block };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(MAPPED_PREFIX_LEN));
    v4.and_then(|(address, len)| Ipv4Net::new(address, len).ok()).map_or(block, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_their_addresses_in_either_notation() {
        let permit = |blocks: &[&str], address: &str| {
            let blocks = blocks.iter().map(|block| block.parse().expect("a block")).collect();
            Origins::of(blocks).permit(address.parse().expect("an address"))
        };
        for (blocks, inside, outside) in [
            (&["10.0.0.0/8"][..], &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..], &["11.0.0.0", "::a00:1"][..]),
            (&["10.9.8.7/8"], &["10.1.1.1"], &["9.1.1.1"]),
            (&["192.0.2.7/32"], &["192.0.2.7", "::ffff:192.0.2.7"], &["192.0.2.6", "192.0.2.8", "::192.0.2.7"]),
            (&["::ffff:10.0.0.0/104"], &["10.1.2.3", "::ffff:10.1.2.3"], &["11.1.2.3", "::1"]),
            (&["::1/128"], &["::1"], &["::2", "127.0.0.1", "::ffff:127.0.0.1"]),
            (&["2001:db8::/32"], &["2001:db8::1", "2001:db8:ffff::"], &["2001:db9::", "32.1.13.184"]),
            (&["0.0.0.0/0"], &["1.2.3.4", "::ffff:1.2.3.4"], &["::1"]),
            (&["::/0"], &["::1", "fe80::1"], &["1.2.3.4", "::ffff:1.2.3.4"]),
            (&["10.0.0.0/8", "::1/128"], &["10.0.0.1", "::1"], &["127.0.0.1"]),
            (&[], &[], &["10.0.0.1", "::1"]),
        ] {
            assert!(inside.iter().all(|address| permit(blocks, address)), "{blocks:?} {inside:?}");
            assert!(!outside.iter().any(|address| permit(blocks, address)), "{blocks:?} {outside:?}");
        }
        assert!(Origins::all().permit("192.0.2.1".parse().expect("an address")));
    }
}
