//! Reads the lines of a CSV file in batches.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;

use anyhow::Context;
use csv::{Reader, ReaderBuilder, StringRecord};
use sha2::{Digest, Sha256};

use super::columns::Columns;
use crate::cli::fault::Fault;
use crate::pb::QueueItem;

/// How many calls are in a batch: the maximum that the server accepts.
const BATCH: usize = 1000;

/// How many malformed lines are reported at once.
const MAX_REPORTED: usize = 50;

/// A CSV file that is being read.
pub struct Rows<R> {
    reader: Reader<Lines<R>>,
    heads: StringRecord,
}

/// The calls that are sent in one request.
pub struct Batch {
    /// How many calls of the file come before this batch.
    pub offset: u64,
    /// The calls, in the order of the file.
    pub items: Vec<QueueItem>,
    /// The line number of each call, from 1.
    pub lines: Vec<u64>,
}

/// Reads a file to its end, and returns its SHA-256 and how many calls it contains.
///
/// # Errors
/// Returns [`Fault::Usage`] with the first 50 lines that cannot be read, or if there are no calls.
pub fn check(path: &Path, delimiter: u8, columns: &Columns) -> anyhow::Result<(String, u64)> {
    let mut rows = Rows::open(path, delimiter)?;
    let refused = |wrong: Vec<String>| Fault::Usage(format!("{}\n  nothing was sent", wrong.join("\n  ")));
    let count = rows.count(columns).map_err(refused)?;
    if count == 0 {
        return Err(Fault::Usage(format!("{} contains no calls", path.display())).into());
    }
    let mut file = rows.reader.into_inner().inner.into_inner();
    file.rewind()?;
    Ok((sha256(file)?, count))
}

impl Rows<File> {
    /// Opens a file and reads its headings.
    ///
    /// # Errors
    /// Returns [`Fault::Usage`] if the file or its first line cannot be read, or it is not a regular file.
    pub fn open(path: &Path, delimiter: u8) -> anyhow::Result<Self> {
        let unreadable =
            |error: &dyn std::fmt::Display| Fault::Usage(format!("cannot read {}: {error}", path.display()));
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(unreadable(&"the file is read twice, so it must be a regular file").into());
        }
        Ok(Self::new(file, delimiter).map_err(|error| unreadable(&reason(&error)))?)
    }
}

impl<R: Read> Rows<R> {
    /// Reads the headings of a CSV file.
    ///
    /// # Errors
    /// Fails if the first line cannot be read.
    pub fn new(csv: R, delimiter: u8) -> Result<Self, csv::Error> {
        let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(Lines {
            inner: BufReader::new(csv),
            begun: 0,
            is_in_line: false,
        });
        let heads = reader.headers()?.clone();
        Ok(Self { reader, heads })
    }

    /// Reads all lines and returns how many calls they contain.
    ///
    /// # Errors
    /// Returns the first 50 lines that cannot be read, each with its number and the reason.
    pub fn count(&mut self, columns: &Columns) -> Result<u64, Vec<String>> {
        let mut wrong = Vec::new();
        let mut count = 0;
        let mut record = StringRecord::new();
        while wrong.len() < MAX_REPORTED {
            match self.reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => match columns.item(&record) {
                    Ok(_) => count += 1,
                    Err(why) => wrong.push(format!("line {}, {why}", self.line(&record))),
                },
                Err(error) => wrong.push(format!("line {}: {}", self.reader.get_ref().begun, reason(&error))),
            }
        }
        if wrong.is_empty() { Ok(count) } else { Err(wrong) }
    }

    /// Returns the headings in the first line.
    pub const fn headers(&self) -> &StringRecord {
        &self.heads
    }

    /// Returns the batches that contain calls after the first `skip`.
    pub fn batches(mut self, columns: &Columns, skip: u64) -> impl Iterator<Item = anyhow::Result<Batch>> {
        let mut offset = 0;
        std::iter::from_fn(move || {
            loop {
                let batch = match self.batch(columns, offset) {
                    Ok(batch) => batch,
                    Err(error) => return Some(Err(error)),
                };
                let rows = u64::try_from(batch.items.len()).unwrap_or(0);
                if rows == 0 {
                    return None;
                }
                offset += rows;
                // A batch of which a part was sent is sent whole, as it was before, because the server knows it by its
                // id.
                if offset > skip {
                    return Some(Ok(batch));
                }
            }
        })
    }

    fn batch(&mut self, columns: &Columns, offset: u64) -> anyhow::Result<Batch> {
        let mut batch = Batch { offset, items: Vec::with_capacity(BATCH), lines: Vec::with_capacity(BATCH) };
        let mut record = StringRecord::new();
        while batch.items.len() < BATCH
            && self.reader.read_record(&mut record).context("the file changed while it was read")?
        {
            let line = self.line(&record);
            batch.items.push(columns.item(&record).map_err(|why| Fault::Usage(format!("line {line}, {why}")))?);
            batch.lines.push(line);
        }
        Ok(batch)
    }

    /// Returns the number of the line at which the record that was just read begins. The `csv` crate counts a line too few
    /// after CR LF, and the empty lines before a record to the record.
    fn line(&self, record: &StringRecord) -> u64 {
        let within = record.iter().map(|cell| memchr::memchr_iter(b'\n', cell.as_bytes()).count()).sum::<usize>();
        self.reader.get_ref().begun.saturating_sub(u64::try_from(within).unwrap_or(0))
    }
}

/// Reads no further than to the end of a line at once, so that the last line that was begun is that of the last record.
struct Lines<R> {
    inner: BufReader<R>,
    /// How many lines have been begun.
    begun: u64,
    /// True if the last line that was begun has not been read to its end.
    is_in_line: bool,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let ready = self.inner.fill_buf()?;
        let ready = &ready[..ready.len().min(into.len())];
        let end = memchr::memchr(b'\n', ready);
        let read = end.map_or(ready.len(), |end| end + 1);
        into[..read].copy_from_slice(&ready[..read]);
        self.inner.consume(read);
        // A file that ends with a line end has an empty line after it, in which a quoted cell without an end stops.
        self.begun += u64::from(!self.is_in_line);
        self.is_in_line = end.is_none();
        Ok(read)
    }
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} columns, and the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

fn sha256(mut file: File) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(rows: &Rows<File>) -> Columns {
        Columns::new(rows.headers(), Some("s"), &[], &[], &[]).unwrap()
    }

    #[test]
    fn malformed_lines_are_reported_by_their_numbers_all_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "channel,retry\na,1\n\"b\nb\",x\nc\nd,y\n").unwrap();
        let columns = columns(&Rows::open(file.path(), b',').unwrap());
        let error = check(file.path(), b',', &columns).unwrap_err().to_string();
        assert!(error.contains("line 3, retry: `x`"), "{error}");
        assert!(error.contains("line 5: has 1 columns, and the first line has 2"), "{error}");
        assert!(error.contains("line 6, retry: `y`"), "{error}");
    }

    #[test]
    fn lines_are_numbered_as_an_editor_does() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, lines) in [
            ("channel\na\nb", [2, 3]),
            ("channel\r\na\r\nb\r\n", [2, 3]),
            ("\r\nchannel\r\n\r\na\n\n\nb\n", [4, 7]),
            ("channel\n\"a\nx\"\r\n\"b\n\ny\"", [2, 4]),
            ("channel\na\n\"b\n", [2, 3]),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let rows = Rows::open(file.path(), b',').unwrap();
            let columns = columns(&rows);
            let batch = rows.batches(&columns, 0).next().unwrap().unwrap();
            assert_eq!(batch.lines, lines, "{text:?}");
        }
    }

    #[test]
    fn batches_are_the_same_wherever_the_import_continues() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines: String = (0..2500).map(|number| format!("PJSIP/{number}@t\n")).collect();
        std::fs::write(file.path(), format!("channel\n{lines}")).unwrap();
        let offsets = |skip| {
            let rows = Rows::open(file.path(), b',').unwrap();
            let columns = columns(&rows);
            let batches = rows.batches(&columns, skip).map(Result::unwrap);
            batches.map(|batch| (batch.offset, batch.items.len(), batch.lines[0])).collect::<Vec<_>>()
        };
        assert_eq!(offsets(0), [(0, 1000, 2), (1000, 1000, 1002), (2000, 500, 2002)]);
        assert_eq!(offsets(1000), [(1000, 1000, 1002), (2000, 500, 2002)]);
        assert_eq!(offsets(2500), []);
    }
}
