//! Decides which URLs and addresses a webhook may post to.
//!
//! Anyone who sets a webhook's URL makes this server send requests from its own network. Webhooks are for applications
//! on private networks, so private addresses are allowed. The addresses at which clouds give credentials to any caller
//! are not. Names are looked up for each connection, and the address that is connected to is checked, not the name.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::Uri;
use http::uri::Scheme;
use tokio::net::{TcpStream, lookup_host};

/// The maximum length of a URL, in characters.
pub const LONGEST: usize = crate::domain::bounds::CREATE_WEBHOOK_REQUEST_URL_MAX_LENGTH;

/// Metadata services that are not at link-local addresses: AWS over IPv6, Alibaba Cloud, Oracle Cloud.
const METADATA: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// Why a URL is refused. The text continues a sentence that begins with the name of the field.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The URL is too long.
    #[error("has more than {LONGEST} characters")]
    TooLong,
    /// The text is not a URL, or has characters that a URL has only in percent-encoding.
    #[error("must be a URL such as `https://host/path`")]
    NoUrl,
    /// The scheme is not HTTP or HTTPS.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// The URL contains credentials, which would be listed and logged.
    #[error("must not contain a user name or a password")]
    Credentials,
    /// The URL has a fragment, which is never sent.
    #[error("must not contain `#`")]
    Fragment,
    /// The address is refused by [`may_connect`].
    #[error("{0} is an address that webhooks may not post to")]
    Address(IpAddr),
}

/// Parses a URL and checks that it may be posted to. A host name is not looked up yet.
///
/// # Errors
/// Returns the first reason to refuse the URL.
pub fn parse(url: &str) -> Result<Uri, UrlError> {
    if url.chars().count() > LONGEST {
        return Err(UrlError::TooLong);
    }
    if url.contains('#') {
        return Err(UrlError::Fragment);
    }
    let uri: Uri = url.parse().map_err(|_| UrlError::NoUrl)?;
    if uri.scheme().is_none_or(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(UrlError::Scheme);
    }
    let authority = uri.authority().ok_or(UrlError::NoUrl)?;
    if authority.as_str().contains('@') {
        return Err(UrlError::Credentials);
    }
    // This parser reports no port if the port is not a number.
    let host = authority.host();
    let port_is_read = authority.port_u16().is_some_and(|port| port > 0) || authority.as_str() == host;
    if host.is_empty() || !port_is_read {
        return Err(UrlError::NoUrl);
    }
    match bare(host).parse() {
        Ok(address) if !may_connect(address) => Err(UrlError::Address(address)),
        Ok(_) | Err(_) => Ok(uri),
    }
}

/// Returns true if the address may be posted to. Link-local addresses, which most metadata services have, and the
/// addresses of the other metadata services may not.
#[must_use]
pub fn may_connect(address: IpAddr) -> bool {
    // `::ffff:169.254.169.254` is reached over IPv4.
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !link_local && !METADATA.contains(&address)
}

/// Connects to the host of a URL.
///
/// # Errors
/// Returns an error if the name cannot be looked up, or if no address of the host may be connected to or accepts the
/// connection.
pub async fn connect(uri: Uri) -> io::Result<TcpStream> {
    let host = uri.host().ok_or_else(|| io::Error::other("the URL names no host"))?;
    let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let found = lookup_host((bare(host), uri.port_u16().unwrap_or(default))).await?;
    let (allowed, refused): (Vec<SocketAddr>, Vec<SocketAddr>) = found.partition(|found| may_connect(found.ip()));
    if allowed.is_empty() {
        let refused = refused.first().map(|found| UrlError::Address(found.ip()).to_string());
        return Err(io::Error::other(refused.unwrap_or_else(|| "the host name has no address".to_owned())));
    }
    let stream = TcpStream::connect(allowed.as_slice()).await?;
    // An event is one small write, and the next one waits for its answer.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Returns a host without the brackets around an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_internal_applications_are_accepted() {
        for url in [
            "https://crm.example/hooks/trunkline?team=4",
            "http://127.0.0.1:9000",
            "http://10.0.0.7/",
            "https://[fd12:3456::1]:8443/x",
            "http://localhost:1/",
        ] {
            assert!(parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn each_refused_url_gets_its_reason() {
        for (url, wrong) in [
            ("", "must be a URL"),
            ("crm.example/hooks", "must be a URL"),
            ("/hooks", "must begin with"),
            ("ftp://crm.example/", "must begin with"),
            ("http://user:secret@crm.example/", "must not contain a user name"),
            ("http://crm.example/#now", "must not contain `#`"),
            ("http://crm.example:99999/", "must be a URL"),
            ("http://crm.example:/", "must be a URL"),
            ("http://:80/", "must be a URL"),
            ("http://crm example/", "must be a URL"),
            ("http://169.254.169.254/latest", "169.254.169.254 is an address"),
            ("http://[fe80::1]/", "fe80::1 is an address"),
            ("http://[::ffff:169.254.169.254]/", "is an address"),
        ] {
            let error = parse(url).map(|_| ()).unwrap_err().to_string();
            assert!(
                error.starts_with(wrong) || error.contains("is an address") && wrong.contains("address"),
                "{url}: {error}"
            );
        }
        let long = format!("http://crm.example/{}", "x".repeat(LONGEST));
        assert!(matches!(parse(&long), Err(UrlError::TooLong)));
    }

    #[test]
    fn metadata_services_are_out_of_reach_and_private_networks_are_not() {
        for address in
            ["169.254.169.254", "169.254.0.1", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"]
        {
            assert!(!may_connect(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "::1", "fd00::1", "100.64.0.1"] {
            assert!(may_connect(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn the_address_that_is_connected_to_is_checked() {
        // The resolver reads this number as 169.254.169.254, which a check of the URL's text would not notice.
        let error = connect("http://2852039166/".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), "169.254.169.254 is an address that webhooks may not post to");
    }
}
