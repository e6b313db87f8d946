//! The version of the Asterisk that answers, and whether it has a known security hole.

/// The version in an answer to `CoreSettings`, such as `22.10.1`, `16.28.0~dfsg-0+deb11u4`, `18.9-cert11` or
/// `GIT-master-…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsteriskVersion {
    /// Major, minor and patch. It is `None` for a build without a number.
    number: Option<(u32, u32, u32)>,
    /// The number after `cert`, for a certified release.
    certified: Option<u32>,
}

impl AsteriskVersion {
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let rest = text.strip_prefix("certified/").unwrap_or(text);
        let digits = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
        let mut parts = digits.split('.').map(str::parse::<u32>);
        let number = match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), patch) => Some((major, minor, patch.and_then(Result::ok).unwrap_or(0))),
            _ => None,
        };
        let certified = rest.split_once("cert").and_then(|(_, after)| {
            after.trim_start_matches('-').split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        });
        Self { number, certified }
    }

    /// Returns true if a user with the write permission `originate` can run programs on this server (CVE-2024-42365,
    /// fixed in 18.24.2, 20.9.2, 21.4.2, certified 18.9-cert11 and 20.7-cert2). A build without a number counts as
    /// fixed.
    pub fn runs_code_for_originate(&self) -> bool {
        let Some((major, minor, patch)) = self.number else { return false };
        match (major, self.certified) {
            (18, Some(cert)) => cert < 11,
            (20, Some(cert)) => cert < 2,
            (..=17 | 19, _) => true,
            (18, None) => (minor, patch) < (24, 2),
            (20, None) => (minor, patch) < (9, 2),
            (21, _) => (minor, patch) < (4, 2),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_the_fix_of_cve_2024_42365_are_known() {
        for open in ["18.24.1", "20.9.1", "21.4.1", "16.28.0~dfsg-0+deb11u4", "19.8.1", "18.9-cert10", "20.7-cert1"] {
            assert!(AsteriskVersion::parse(open).runs_code_for_originate(), "{open}");
        }
        for fixed in ["18.24.2", "20.9.2", "21.4.2", "22.10.1", "18.9-cert11", "certified/20.7-cert2", "GIT-master-a1"]
        {
            assert!(!AsteriskVersion::parse(fixed).runs_code_for_originate(), "{fixed}");
        }
    }
}
