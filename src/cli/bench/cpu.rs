//! Measures how much processor time a process has used.

use std::time::Duration;

use anyhow::Context;

/// The length of a tick in `/proc/PID/stat`. Linux shows 100 ticks a second there on every platform.
const TICK: Duration = Duration::from_millis(10);

/// Returns the user and system time of a process and its threads. Works on Linux only.
///
/// # Errors
/// Returns an error if `/proc/PID/stat` cannot be read.
pub fn used_by(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse(&stat).with_context(|| format!("cannot read the times in {path}"))
}

/// Adds the 14th and the 15th field. The 2nd field is in parentheses and may contain any characters.
fn parse(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    Some(TICK * times.next()?.ok()?.checked_add(times.next()?.ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_confuses_nothing() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 25 17 0 0 20 0 8 0 100 0 0";
        assert_eq!(parse(stat), Some(Duration::from_millis(420)));
        assert_eq!(parse("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_used_some() {
        assert!(used_by(std::process::id()).is_ok());
    }
}
