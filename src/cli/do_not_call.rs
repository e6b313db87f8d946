//! `trunkline do-not-call`: manages the lists of numbers that must not be called.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use tonic::Status;
use tonic_types::StatusExt as _;

use super::client_ref::ForClient;
use super::fault::Fault;
use super::paging::Paging;
use super::remote::{Remote, Session, read_text};
use crate::pb;

/// The flags and arguments of `do-not-call`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    client: ForClient,
    /// The list that holds for all clients, in place of a client's. Needs an admin key
    #[arg(long, global = true, conflicts_with = "for_client")]
    platform: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the numbers, sorted
    List(Paging),
    /// Add numbers; a number that is on the list already keeps its reason
    Add {
        /// A number, best with + and its country code; can be repeated
        #[arg(required = true, value_name = "NUMBER")]
        numbers: Vec<String>,
        /// Why the numbers must not be called
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Remove numbers from the list
    Remove {
        /// A number, in any of its spellings; can be repeated
        #[arg(required = true, value_name = "NUMBER")]
        numbers: Vec<String>,
    },
    /// Add the numbers of a file, which has one on each line: NUMBER or NUMBER,REASON
    Import {
        /// The file; `-` reads standard input
        file: PathBuf,
    },
    /// Show the entry of a number; the exit code is 1 if it is not on the list
    Check {
        /// The number, in any of its spellings
        number: String,
    },
}

/// How many numbers are added by one request: the maximum that the server accepts.
const GROUP: usize = 1000;

/// The columns of a list.
const COLUMNS: [&str; 3] = ["number", "reason", "added_at"];

/// A list: that of one client, or that of the platform.
struct List<'s> {
    session: &'s Session,
    is_platform: bool,
    client_id: Option<i64>,
}

/// Lists, checks or changes the numbers on a list.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let client_id = args.client.id(&session).await?;
    let list = List { session: &session, is_platform: args.platform, client_id };
    match args.action {
        Action::List(paging) => session.out.list(&list.page(paging, None).await?, &COLUMNS),
        Action::Add { numbers, reason } => {
            let count = numbers.len();
            let entry = |number| pb::DoNotCallNumber { number, reason: reason.clone() };
            let added = list.add(numbers.into_iter().map(entry).collect()).await?;
            say_added(&session, count, added)
        }
        Action::Remove { numbers } => {
            for number in &numbers {
                list.remove(number.clone()).await?;
            }
            let answer = serde_json::json!({ "removed_count": numbers.len() });
            session.out.say(&answer, format_args!("removed from the do-not-call list: {}", numbers.len()))
        }
        Action::Import { file } => {
            let numbers = read(&file)?;
            let (count, mut added) = (numbers.len(), 0);
            for group in numbers.chunks(GROUP) {
                let entries = group.iter().map(|line| line.entry.clone()).collect();
                added += list.add(entries).await.map_err(|status| by_line(status, group))?;
            }
            say_added(&session, count, added)
        }
        Action::Check { number } => {
            let found = list.page(Paging { page: None, page_size: None }, Some(number.clone())).await?;
            if found.results.is_empty() {
                return Err(Fault::Failed(format!("{number} is not on the do-not-call list")).into());
            }
            session.out.list(&found, &COLUMNS)
        }
    }
}

fn say_added(session: &Session, count: usize, added: i32) -> anyhow::Result<()> {
    let answer = serde_json::json!({ "count": count, "added_count": added });
    session.out.say(&answer, format_args!("on the do-not-call list: {count}, of which new: {added}"))
}

impl List<'_> {
    async fn page(&self, paging: Paging, number: Option<String>) -> Result<pb::ListDoNotCallResponse, Status> {
        let Paging { page, page_size } = paging;
        if self.is_platform {
            let request = pb::ListPlatformDoNotCallRequest { page, page_size, number };
            let answer = self.session.admin().list_platform_do_not_call(request).await?.into_inner();
            let pb::ListPlatformDoNotCallResponse { results, count, page, page_size } = answer;
            return Ok(pb::ListDoNotCallResponse { results, count, page, page_size });
        }
        let request = pb::ListDoNotCallRequest { page, page_size, client_id: self.client_id, number };
        Ok(self.session.clients().list_do_not_call(request).await?.into_inner())
    }

    /// Adds at most [`GROUP`] numbers, and returns how many were not on the list before.
    async fn add(&self, numbers: Vec<pb::DoNotCallNumber>) -> Result<i32, Status> {
        if self.is_platform {
            let request = pb::AddPlatformDoNotCallRequest { numbers };
            return Ok(self.session.admin().add_platform_do_not_call(request).await?.into_inner().added_count);
        }
        let request = pb::AddDoNotCallRequest { numbers, client_id: self.client_id };
        Ok(self.session.clients().add_do_not_call(request).await?.into_inner().added_count)
    }

    async fn remove(&self, number: String) -> Result<(), Status> {
        if self.is_platform {
            let request = pb::RemovePlatformDoNotCallRequest { number };
            self.session.admin().remove_platform_do_not_call(request).await?;
        } else {
            let request = pb::RemoveDoNotCallRequest { number, client_id: self.client_id };
            self.session.clients().remove_do_not_call(request).await?;
        }
        Ok(())
    }
}

/// A number of a file, and the number of its line.
struct Line {
    number: usize,
    entry: pb::DoNotCallNumber,
}

fn read(file: &Path) -> Result<Vec<Line>, Fault> {
    let text = read_text(file)?;
    Ok(lines(&text))
}

/// Reads one number from each line, and what follows its comma as the reason. Empty lines, comments after `#` and a heading
/// do not count.
fn lines(text: &str) -> Vec<Line> {
    let unquoted = |cell: &str| {
        let cell = cell.trim();
        cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell).replace("\"\"", "\"")
    };
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start_matches('\u{feff}').trim();
        let (number, reason) = line.split_once(',').unwrap_or((line, ""));
        let is_heading = index == 0 && !number.contains(|c: char| c.is_ascii_digit());
        if line.is_empty() || line.starts_with('#') || is_heading {
            continue;
        }
        let reason = Some(unquoted(reason)).filter(|reason| !reason.is_empty());
        lines.push(Line { number: index + 1, entry: pb::DoNotCallNumber { number: unquoted(number), reason } });
    }
    lines
}

/// Converts the server's error to one with lines of the file in place of paths such as `numbers[17].number`.
fn by_line(status: Status, group: &[Line]) -> anyhow::Error {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    let text = |field: &str, why: &str| {
        let (index, part) = field.strip_prefix("numbers[")?.split_once(']')?;
        let line = group.get(index.parse::<usize>().ok()?)?;
        Some(format!("line {}, {}: {why}", line.number, part.trim_start_matches('.')))
    };
    let lines: Vec<String> = violations.iter().filter_map(|it| text(&it.field, &it.description)).collect();
    if lines.is_empty() {
        return status.into();
    }
    Fault::from(Status::new(status.code(), lines.join("\n  "))).into()
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn a_line_has_a_number_and_perhaps_a_reason() {
        let read = lines("number,why\r\n+49 151 2345,\"asked, twice\"\r\n\r\n# later\n\"0049 30 1\"\n");
        let read: Vec<_> =
            read.iter().map(|line| (line.number, line.entry.number.as_str(), line.entry.reason.as_deref())).collect();
        assert_eq!(read, [(2, "+49 151 2345", Some("asked, twice")), (5, "0049 30 1", None)]);
        assert_eq!(lines("4915123\n").len(), 1);
    }

    #[test]
    fn an_error_names_the_line_of_the_file() {
        let read = lines("+49 151 2345\n\nbob\n");
        let details = ErrorDetails::with_bad_request_violation("numbers[1].number", "must have 3 to 15 digits");
        let status = Status::with_error_details(Code::InvalidArgument, "numbers[1].number: …", details);
        assert_eq!(by_line(status, &read).to_string(), "line 3, number: must have 3 to 15 digits");
    }
}
