//! Maps the columns of a CSV file to the fields of a call.

use std::collections::HashSet;

use csv::StringRecord;

use crate::cli::fault::Fault;
use crate::domain::number::read_field;
use crate::pb::{OriginateAction, QueueItem, Timestamp};

/// The part of `import --help` about columns.
pub const HELP: &str = "\
Columns, each named as in the REST API; only `channel` and `asterisk_server_code` (or --server) are always required:
  asterisk_server_code  the Asterisk server that places the call
  channel               the channel that is dialed, such as PJSIP/1234567890@trunk1
  application, data     the application that runs when the call is answered, such as Dial and PJSIP/100@office,30
  context, exten, priority  a place in the dialplan to go to, in place of an application
  caller_id, account, action_id, channel_id, variable, codecs
  timeout               how long the call may ring, in milliseconds
  var.NAME              the channel variable NAME
  label.KEY             the label KEY
  contact_number, project, deadline, time_zone, retry
  create_recording (true or false), recording_path, mix_monitor_command

  trunkline import people.csv --server server1 --map contact_number=Phone \\
    --set 'channel=PJSIP/{Phone}@trunk1' --set application=Queue --set data=support --ignore Name";

/// Sets a field of the item from the text of a cell, or returns what is wrong with the text.
type Put = fn(&mut QueueItem, &str) -> Result<(), String>;

/// A field of a call that a column can set.
struct Field {
    /// The name of the column.
    name: &'static str,
    /// The path of the field in the server's errors, below `data[i]`.
    path: &'static str,
    put: Put,
}

/// Defines a field that is a text of the item or of its action.
macro_rules! text {
    (item.$name:ident) => {
        Field {
            name: stringify!($name),
            path: stringify!($name),
            put: |item, text| {
                item.$name = Some(text.to_owned());
                Ok(())
            },
        }
    };
    (action.$name:ident, $path:literal) => {
        Field {
            name: stringify!($name),
            path: concat!("action.", $path),
            put: |item, text| {
                action(item).$name = Some(text.to_owned());
                Ok(())
            },
        }
    };
}

const FIELDS: [Field; 22] = [
    Field {
        name: "asterisk_server_code",
        path: "asterisk_server_code",
        put: |item, text| {
            item.asterisk_server_code = text.to_owned();
            Ok(())
        },
    },
    text!(action.channel, "Channel"),
    text!(action.application, "Application"),
    text!(action.data, "Data"),
    text!(action.context, "Context"),
    text!(action.exten, "Exten"),
    text!(action.priority, "Priority"),
    text!(action.account, "Account"),
    text!(action.action_id, "ActionID"),
    text!(action.channel_id, "ChannelId"),
    text!(action.variable, "Variable"),
    text!(action.codecs, "Codecs"),
    Field {
        name: "timeout",
        path: "action.Timeout",
        put: |item, text| {
            action(item).timeout = Some(number(text)?);
            Ok(())
        },
    },
    text!(item.caller_id),
    text!(item.project),
    text!(item.recording_path),
    text!(item.mix_monitor_command),
    text!(item.time_zone),
    Field {
        name: "contact_number",
        path: "contact_number",
        put: |item, text| {
            let written = read_field(text).map_err(|error| format!("`{text}` {error}"))?;
            match number(text) {
                Ok(integer) if !text.starts_with(['0', '+']) => item.contact_number = Some(integer),
                _ => item.contact_number_text = Some(written.to_string()),
            }
            Ok(())
        },
    },
    Field {
        name: "retry",
        path: "retry",
        put: |item, text| {
            item.retry = number(text)?;
            Ok(())
        },
    },
    Field {
        name: "create_recording",
        path: "create_recording",
        put: |item, text| {
            item.create_recording = match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => true,
                "false" | "no" | "0" => false,
                _ => return Err(format!("`{text}` is neither true nor false")),
            };
            Ok(())
        },
    },
    Field {
        name: "deadline",
        path: "deadline",
        put: |item, text| {
            let time: Result<Timestamp, _> = serde_json::from_value(text.into());
            item.deadline = Some(time.map_err(|_| format!("`{text}` is not a time, such as 2030-01-31T18:00:00Z"))?);
            Ok(())
        },
    },
];

fn action(item: &mut QueueItem) -> &mut OriginateAction {
    item.action.get_or_insert_default()
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number, or is too large"))
}

/// The fields of a call, each with the source of its text in a line.
pub struct Columns(Vec<(Target, Source)>);

enum Target {
    Field(&'static Field),
    Variable(String),
    Label(String),
}

enum Source {
    Column(usize),
    Text(Vec<Part>),
}

enum Part {
    Fixed(String),
    Column { index: usize, name: String },
}

impl Target {
    fn named(name: &str) -> Option<Self> {
        if let Some(variable) = name.strip_prefix("var.").filter(|name| !name.is_empty()) {
            return Some(Self::Variable(variable.to_owned()));
        }
        if let Some(key) = name.strip_prefix("label.").filter(|key| !key.is_empty()) {
            return Some(Self::Label(key.to_owned()));
        }
        let known = FIELDS.iter().find(|field| field.name == name);
        known.map(Self::Field)
    }

    fn name(&self) -> String {
        match self {
            Self::Field(field) => field.name.to_owned(),
            Self::Variable(name) => format!("var.{name}"),
            Self::Label(key) => format!("label.{key}"),
        }
    }
}

impl Columns {
    /// Builds the mapping from the file's headings and the command's flags.
    ///
    /// # Errors
    /// Returns [`Fault::Usage`] if a column is not a field and no flag names it, or if a flag names an unknown field,
    /// an unknown column, or a field that has a source already.
    pub fn new(
        heads: &StringRecord,
        server: Option<&str>,
        map: &[(String, String)],
        set: &[(String, String)],
        ignore: &[String],
    ) -> Result<Self, Fault> {
        let column = |name: &str| {
            let found = heads.iter().position(|head| head.trim() == name);
            found.ok_or_else(|| {
                let heads = heads.iter().map(|head| format!("`{}`", head.trim())).collect::<Vec<_>>().join(", ");
                Fault::Usage(format!("there is no column `{name}`; the columns of the first line are {heads}"))
            })
        };
        let mut columns = Vec::new();
        let mut used: HashSet<usize> = HashSet::new();
        for (field, name) in map {
            let index = column(name)?;
            used.insert(index);
            columns.push((target(field)?, Source::Column(index)));
        }
        for (field, text) in set {
            let parts = template(text, &column)?;
            used.extend(parts.iter().filter_map(|part| match part {
                Part::Column { index, .. } => Some(*index),
                Part::Fixed(_) => None,
            }));
            columns.push((target(field)?, Source::Text(parts)));
        }
        for name in ignore {
            used.insert(column(name)?);
        }
        for (index, head) in heads.iter().enumerate() {
            match Target::named(head.trim()) {
                // A column that --map or --set names may also have the name of a field.
                Some(target) if !ignore.iter().any(|name| name == head.trim()) => {
                    if !columns.iter().any(|(taken, _)| taken.name() == target.name()) {
                        columns.push((target, Source::Column(index)));
                    }
                }
                None if !used.contains(&index) => return Err(unknown("the first line's column", head.trim())),
                Some(_) | None => {}
            }
        }
        let mut names = HashSet::new();
        if let Some(twice) = columns.iter().map(|(target, _)| target.name()).find(|name| !names.insert(name.clone())) {
            return Err(Fault::Usage(format!("the field `{twice}` is given twice")));
        }
        // In front, so that a line's own server overrides it.
        if let Some(server) = server
            && let Some(target) = Target::named("asterisk_server_code")
        {
            columns.insert(0, (target, Source::Text(vec![Part::Fixed(server.to_owned())])));
        }
        Ok(Self(columns))
    }

    /// Builds the call of one line.
    ///
    /// # Errors
    /// Returns what is wrong, with the name of the column.
    pub fn item(&self, line: &StringRecord) -> Result<QueueItem, String> {
        let mut item = QueueItem::default();
        action(&mut item).action = "Originate".to_owned();
        for (target, source) in &self.0 {
            let text = match source {
                Source::Column(index) => line.get(*index).unwrap_or_default().trim().to_owned(),
                Source::Text(parts) => filled(parts, line).map_err(|why| format!("{}: {why}", target.name()))?,
            };
            // An empty cell sets nothing.
            if text.is_empty() {
                continue;
            }
            match target {
                Target::Field(field) => {
                    (field.put)(&mut item, &text).map_err(|why| format!("{}: {why}", field.name))?;
                }
                Target::Variable(name) => {
                    action(&mut item).variables.insert(name.clone(), text);
                }
                Target::Label(key) => {
                    item.labels.insert(key.clone(), text);
                }
            }
        }
        Ok(item)
    }
}

/// Returns the name of the column for a path in an error of the server, such as `action.Channel`.
pub fn name_of(path: &str) -> &str {
    FIELDS.iter().find(|field| field.path == path).map_or(path, |field| field.name)
}

fn target(name: &str) -> Result<Target, Fault> {
    Target::named(name).ok_or_else(|| unknown("the field", name))
}

fn unknown(what: &str, name: &str) -> Fault {
    let near = |field: &&Field| strsim::damerau_levenshtein(field.name, &name.to_lowercase());
    let nearest = FIELDS.iter().min_by_key(near).filter(|field| near(field) <= 3);
    let meant = nearest.map_or_else(|| ";".to_owned(), |field| format!(", did you mean `{}`?", field.name));
    Fault::Usage(format!(
        "{what} `{name}` is unknown{meant} `trunkline import --help` lists the fields; --map, --set and --ignore say \
         what to do with other columns"
    ))
}

fn template(text: &str, column: &impl Fn(&str) -> Result<usize, Fault>) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((fixed, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| Fault::Usage(format!("`{text}` has a `{{` without a `}}`")))?;
        parts.push(Part::Fixed(fixed.to_owned()));
        parts.push(Part::Column { index: column(name)?, name: name.to_owned() });
        rest = after;
    }
    parts.push(Part::Fixed(rest.to_owned()));
    Ok(parts)
}

fn filled(parts: &[Part], line: &StringRecord) -> Result<String, String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Fixed(fixed) => text.push_str(fixed),
            Part::Column { index, name } => match line.get(*index).map(str::trim) {
                Some(cell) if !cell.is_empty() => text.push_str(cell),
                _ => return Err(format!("the column `{name}` is empty")),
            },
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    fn columns(heads: &[&str], map: &[(&str, &str)], set: &[(&str, &str)]) -> Result<Columns, Fault> {
        Columns::new(&StringRecord::from(heads), Some("server1"), &strings(map), &strings(set), &[])
    }

    #[test]
    fn a_line_becomes_a_call_by_columns_templates_and_variables() {
        let columns = columns(
            &["Phone", "var.NAME", "retry", "asterisk_server_code"],
            &[("contact_number", "Phone")],
            &[("channel", "PJSIP/{Phone}@trunk1"), ("application", "Echo"), ("label.team", "a")],
        );
        let columns = columns.unwrap();
        let item = columns.item(&StringRecord::from(vec!["123", "Ann", "2", ""])).unwrap();
        let action = item.action.unwrap();
        assert_eq!((item.contact_number, item.retry, item.asterisk_server_code.as_str()), (Some(123), 2, "server1"));
        assert_eq!(action.channel.as_deref(), Some("PJSIP/123@trunk1"));
        assert_eq!(action.variables["NAME"], "Ann");
        assert_eq!(item.labels["team"], "a");
        let item = columns.item(&StringRecord::from(vec!["123", "", "", "server2"])).unwrap();
        assert_eq!((item.asterisk_server_code.as_str(), item.retry), ("server2", 0));
    }

    #[test]
    fn an_error_in_a_cell_names_the_column() {
        let columns = columns(&["channel", "retry"], &[], &[("data", "{channel}")]).unwrap();
        assert_eq!(
            columns.item(&StringRecord::from(vec!["a", "x"])).unwrap_err(),
            "retry: `x` is not a whole number, or is too large"
        );
        assert_eq!(
            columns.item(&StringRecord::from(vec!["", "1"])).unwrap_err(),
            "data: the column `channel` is empty"
        );
    }

    #[test]
    fn an_error_about_an_unknown_column_suggests_the_nearest_field() {
        let error = columns(&["chanel"], &[], &[]).err().unwrap().to_string();
        assert!(error.contains("`chanel` is unknown, did you mean `channel`?"), "{error}");
        let error = columns(&["channel"], &[("data", "Phone")], &[]).err().unwrap().to_string();
        assert!(error.contains("no column `Phone`"), "{error}");
    }

    #[test]
    fn a_path_in_an_error_of_the_server_becomes_the_name_of_the_column() {
        assert_eq!(name_of("action.Channel"), "channel");
        assert_eq!(name_of("action.variables.X"), "action.variables.X");
    }
}
