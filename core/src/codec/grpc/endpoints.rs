//! Endpoints: addresses of one proxy service.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::proto::{Address, AddressScheme, Endpoints};

/// `addresses` (`host:port`, IPv6 in brackets) for the wire; what is none is left out.
pub fn endpoints_of<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Endpoints {
    let read = |address: &str| {
        let (host, port) = address.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        Some(Address { host: host.to_owned(), port: port.parse().ok()? })
    };
    let addresses: Vec<Address> = addresses.into_iter().filter_map(read).collect();
    let all = |fits: fn(&str) -> bool| addresses.iter().all(|address| fits(&address.host));
    let scheme = if all(|host| host.parse::<Ipv4Addr>().is_ok()) {
        AddressScheme::IPv4
    } else if all(|host| host.parse::<Ipv6Addr>().is_ok()) {
        AddressScheme::IPv6
    } else {
        AddressScheme::DomainName
    };
    Endpoints { scheme: scheme.into(), addresses }
}

/// The addresses of `endpoints` as `host:port`, IPv6 in brackets.
pub fn addresses_of(endpoints: &Endpoints) -> impl Iterator<Item = String> {
    endpoints.addresses.iter().map(|Address { host, port }| {
        if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were() {
        for (addresses, scheme) in [
            (&["127.0.0.1:8081", "10.0.0.1:80"][..], AddressScheme::IPv4),
            (&["[::1]:8081"], AddressScheme::IPv6),
            (&["proxy.example:8081"], AddressScheme::DomainName),
        ] {
            let endpoints = endpoints_of(addresses.iter().copied());
            assert_eq!(endpoints.scheme(), scheme);
            assert_eq!(addresses_of(&endpoints).collect::<Vec<_>>(), addresses);
        }
        assert!(endpoints_of(["no port", "h:x"]).addresses.is_empty());
    }
}
