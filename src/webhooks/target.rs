//! Decides which URLs and addresses a webhook may post to.
//!
//! Anyone who sets a webhook's URL makes this server send requests from its own network. Therefore a URL is `https://`
//! and reaches a public address, unless the settings of the server permit more ([`Permitted`]). The addresses are
//! judged when the webhook is created, and again for each connection, which is made to the address that was judged: a
//! name may have another address at every look-up.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::domain::networks::Networks;
use crate::domain::reachable::{self, Refusal};

/// The maximum length of a URL, in characters.
pub const LONGEST: usize = crate::domain::bounds::CREATE_WEBHOOK_REQUEST_URL_MAX_LENGTH;

/// How long the creation of a webhook waits for the addresses of its host.
const LOOK_UP: Duration = Duration::from_secs(3);

/// What the settings of the server permit besides HTTPS and public addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permitted {
    /// True if URLs may begin with `http://` (setting `webhook_http`).
    pub http: bool,
    /// Networks that are not public and may be posted to (setting `webhook_networks`).
    pub networks: Networks,
}

/// Why a URL is refused. The text continues a sentence that begins with the name of the field. It contains no part of
/// the URL besides an address.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The URL is too long.
    #[error("has more than {LONGEST} characters")]
    TooLong,
    /// The text is not a URL, or has characters that a URL has only in percent-encoding.
    #[error("must be a URL such as `https://host/path`")]
    NoUrl,
    /// The scheme is not HTTPS.
    #[error("must begin with https://")]
    Scheme,
    /// The scheme is HTTP, which this server does not permit.
    #[error("must begin with https://; only the server's setting `webhook_http` permits http://")]
    PlainHttp,
    /// The URL contains credentials, which would be listed.
    #[error("must not contain a user name or a password")]
    Credentials,
    /// The URL has a fragment, which is never sent.
    #[error("must not contain `#`")]
    Fragment,
    /// The address is not public, and this server does not permit it.
    #[error("must reach a public address: {0}{hint}", hint = hint(.0))]
    Address(Refusal),
}

/// Says how an address can be permitted, if it can be.
fn hint(refusal: &Refusal) -> &'static str {
    if refusal.range.can_be_opened { "; only the server's setting `webhook_networks` permits others" } else { "" }
}

impl Permitted {
    /// Parses a URL and checks that it may be posted to. A host name is not looked up yet.
    ///
    /// # Errors
    /// Returns the first reason to refuse the URL.
    pub fn parse(&self, url: &str) -> Result<Uri, UrlError> {
        if url.chars().count() > LONGEST {
            return Err(UrlError::TooLong);
        }
        if url.contains('#') {
            return Err(UrlError::Fragment);
        }
        let uri: Uri = url.parse().map_err(|_| UrlError::NoUrl)?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => {}
            Some(scheme) if *scheme == Scheme::HTTP && self.http => {}
            Some(scheme) if *scheme == Scheme::HTTP => return Err(UrlError::PlainHttp),
            Some(_) | None => return Err(UrlError::Scheme),
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
        if let Ok(address) = bare(host).parse() {
            self.check(address)?;
        }
        Ok(uri)
    }

    /// Looks up the host of a URL and checks that at least one of its addresses may be posted to. A host whose
    /// addresses cannot be found within three seconds passes, because its name may be entered later: each connection is
    /// checked again.
    ///
    /// # Errors
    /// Returns the reason to refuse the first address if there are addresses and all of them are refused.
    pub async fn check_host(&self, uri: &Uri) -> Result<(), UrlError> {
        match timeout(LOOK_UP, self.addresses(uri)).await {
            Ok(Ok((allowed, Some(refused)))) if allowed.is_empty() => Err(refused),
            Ok(Ok(_) | Err(_)) | Err(_) => Ok(()),
        }
    }

    /// Connects to the host of a URL, at one of its addresses that may be posted to.
    ///
    /// # Errors
    /// Returns an error if the name cannot be looked up, or if no address of the host may be connected to or accepts
    /// the connection.
    pub async fn connect(&self, uri: &Uri) -> io::Result<TcpStream> {
        let (allowed, refused) = self.addresses(uri).await?;
        if allowed.is_empty() {
            let why = refused.map_or_else(
                || "the host name has no address".to_owned(),
                |refused| format!("the host of the URL {refused}"),
            );
            return Err(io::Error::other(why));
        }
        // The addresses that were checked are connected to: the name is not looked up again.
        let stream = TcpStream::connect(allowed.as_slice()).await?;
        // An event is one small write, and the next one waits for its answer.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Returns the addresses of a URL's host that may be posted to, and why the first of the others may not.
    async fn addresses(&self, uri: &Uri) -> io::Result<(Vec<SocketAddr>, Option<UrlError>)> {
        let host = uri.host().ok_or_else(|| io::Error::other("the URL names no host"))?;
        let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let (mut allowed, mut refused) = (Vec::new(), None);
        for found in lookup_host((bare(host), uri.port_u16().unwrap_or(default))).await? {
            match self.check(found.ip()) {
                Ok(()) => allowed.push(found),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Ok((allowed, refused))
    }

    fn check(&self, address: IpAddr) -> Result<(), UrlError> {
        reachable::check(address, &self.networks).map_err(UrlError::Address)
    }
}

/// A URL for the audit and for logs: its scheme, its host and its port. What follows may be a token.
pub struct WithoutTokens<'a>(pub &'a str);

impl fmt::Display for WithoutTokens<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri: Option<Uri> = self.0.parse().ok();
        let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
        let Some((scheme, authority)) = parts else { return formatter.write_str("…") };
        // What is before the last `@` is a user name and a password.
        let (_, place) = authority.as_str().rsplit_once('@').unwrap_or(("", authority.as_str()));
        write!(formatter, "{scheme}://{place}/…")
    }
}

/// Returns a host without the brackets around an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Permitted {
        let networks = Networks::parse(["127.0.0.0/8", "10.0.0.0/8", "fd12::/16", "::1"]).unwrap();
        Permitted { http: true, networks }
    }

    fn refused(permitted: &Permitted, url: &str) -> String {
        permitted.parse(url).map(|_| ()).expect_err(url).to_string()
    }

    #[test]
    fn https_to_public_addresses_is_accepted_and_the_rest_needs_a_setting() {
        let (closed, opened) = (Permitted::default(), opened());
        for url in
            ["https://crm.example/hooks/trunkline?team=4", "https://8.8.8.8:8443/", "https://[64:ff9b::808:808]/"]
        {
            assert!(closed.parse(url).is_ok() && opened.parse(url).is_ok(), "{url}");
        }
        for (url, why) in [
            ("http://crm.example/hooks", "must begin with https://; only the server's setting `webhook_http`"),
            ("http://127.0.0.1:9000", "must begin with https://; only"),
            (
                "https://10.0.0.7/",
                "must reach a public address: 10.0.0.7 is a private address (RFC 1918); only the server's",
            ),
            ("https://[fd12:3456::1]:8443/x", "must reach a public address: fd12:3456::1 is a unique local"),
            ("https://[::ffff:10.0.0.7]/", "must reach a public address: ::ffff:10.0.0.7 reaches 10.0.0.7"),
            ("https://[64:ff9b::10.0.0.7]/", "must reach a public address: 64:ff9b::a00:7 reaches 10.0.0.7"),
        ] {
            let error = refused(&closed, url);
            assert!(error.starts_with(why), "{url}: {error}");
            assert!(opened.parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn each_setting_opens_its_own_door_only() {
        let http = Permitted { http: true, networks: Networks::default() };
        assert!(http.parse("http://crm.example/").is_ok());
        assert!(matches!(http.parse("http://10.0.0.7/"), Err(UrlError::Address(_))));
        let private = Permitted { http: false, networks: opened().networks };
        assert!(private.parse("https://10.0.0.7/").is_ok());
        assert!(matches!(private.parse("http://10.0.0.7/"), Err(UrlError::PlainHttp)));
    }

    #[test]
    fn each_refused_url_gets_its_reason_whatever_is_permitted() {
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
            ("http://169.254.169.254/latest", "must reach a public address: 169.254.169.254 is a link-local address"),
            ("http://[fe80::1]/", "must reach a public address: fe80::1 is a link-local address"),
            ("http://[::ffff:169.254.169.254]/", "must reach a public address"),
        ] {
            let error = refused(&opened(), url);
            assert!(error.starts_with(wrong), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let long = format!("http://crm.example/{}", "x".repeat(LONGEST));
        assert!(matches!(opened().parse(&long), Err(UrlError::TooLong)));
    }

    /// The resolver reads these as addresses, which a check of the URL's text would not notice.
    #[tokio::test]
    async fn the_address_that_is_connected_to_is_checked() {
        for (url, address) in [
            ("http://2852039166/", "169.254.169.254"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://localhost/", "127.0.0.1"),
        ] {
            let permitted = Permitted { http: true, networks: Networks::default() };
            let uri = permitted.parse(url).unwrap();
            let error = permitted.connect(&uri).await.unwrap_err().to_string();
            assert!(error.starts_with("the host of the URL must reach a public address"), "{url}: {error}");
            let error = permitted.check_host(&uri).await.unwrap_err().to_string();
            assert!(error.contains(address) || url.contains("localhost"), "{url}: {error}");
        }
        let unknown = "https://no-such-host.invalid/".parse().unwrap();
        assert!(Permitted::default().check_host(&unknown).await.is_ok(), "a name may be entered later");
    }

    #[test]
    fn what_may_be_a_token_is_left_out_of_a_shown_url() {
        for (url, shown) in [
            ("https://crm.example/hooks/t0ken?key=t0ken", "https://crm.example/…"),
            ("http://me:t0ken@[fd12::1]:8443?t0ken", "http://[fd12::1]:8443/…"),
            ("https://crm.example", "https://crm.example/…"),
            ("t0ken", "…"),
            ("no url: t0ken", "…"),
        ] {
            assert_eq!(WithoutTokens(url).to_string(), shown);
        }
    }
}
